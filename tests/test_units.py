"""Times, durations, names and short texts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.units import (
    after,
    clip,
    did_you_mean,
    format_duration,
    format_ms,
    from_rfc3339,
    is_words,
    nearest,
    parse_duration,
    plain,
    seconds_between,
    to_rfc3339,
)
from tests.make import T0, TIMES, quick


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (30, 30.0),
        (1.5, 1.5),
        ("30", 30.0),
        ("0.5", 0.5),
        ("30s", 30.0),
        ("30 S", 30.0),
        ("250ms", 0.25),
        ("5m", 300.0),
        ("1m30s", 90.0),
        ("1h 30m", 5400.0),
        ("1.5h", 5400.0),
        ("7d", 604800.0),
        ("2w", 1209600.0),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-5s", "s", "5x", "1m-30s", "1.2.3s", "0x10", True, False])
def test_what_is_no_duration_is_refused_with_the_forms_that_are(text: object) -> None:
    with pytest.raises(ValueError, match=r"expected a duration such as 30s, 5m, 1h30m or a number of seconds, got "):
        parse_duration(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.85, "850 ms"),
        (0.9996, "1 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.7, "1 m"),
        (180, "3 m"),
        (200, "3 m 20 s"),
        (7500, "2 h 5 m"),
        (7205, "2 h"),
        (356400, "4 d 3 h"),
        (86460, "1 d"),
        (-90, "-1 m 30 s"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("latency_ms", "text"),
    [(None, "–"), (0.04, "0.0 ms"), (0.5, "0.5 ms"), (411.6, "412 ms"), (999.7, "1.00 s"), (1931, "1.93 s")],
)
def test_a_latency_is_short_and_has_its_unit(latency_ms: float | None, text: str) -> None:
    assert format_ms(latency_ms) == text


@quick
@given(TIMES)
def test_a_time_comes_back_from_its_text_to_the_millisecond(at: datetime) -> None:
    text = to_rfc3339(at)

    assert text.endswith("Z")
    assert len(text) == len("2026-11-21T14:03:07.123Z")
    assert from_rfc3339(text) == at - timedelta(microseconds=at.microsecond % 1000)


@quick
@given(st.lists(TIMES, min_size=2, max_size=5))
def test_texts_of_times_sort_as_the_times_do(times: list[datetime]) -> None:
    assert [from_rfc3339(t) for t in sorted(map(to_rfc3339, times))] == sorted(
        from_rfc3339(to_rfc3339(t)) for t in times
    )


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    india = timezone(timedelta(hours=5, minutes=30))

    assert to_rfc3339(datetime(2026, 11, 21, 19, 33, 7, tzinfo=india)) == "2026-11-21T14:03:07.000Z"
    assert from_rfc3339("2026-11-21T19:33:07+05:30") == datetime(2026, 11, 21, 14, 3, 7, tzinfo=UTC)
    assert from_rfc3339("2026-11-21T19:33:07+05:30").tzinfo is UTC


def test_a_naive_time_is_refused_both_ways() -> None:
    with pytest.raises(ValueError, match="expected an aware time"):
        to_rfc3339(datetime(2026, 11, 21))  # noqa: DTZ001
    with pytest.raises(ValueError, match="expected a time with an offset"):
        from_rfc3339("2026-11-21T14:03:07")


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59-01:00"]
)
def test_a_text_that_is_no_time_is_a_value_error_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(text)


def test_seconds_lead_from_one_time_to_another_and_back() -> None:
    assert seconds_between(T0, after(T0, 90.5)) == 90.5
    assert seconds_between(after(T0, 90.5), T0) == -90.5


def test_a_slip_of_the_hand_is_recognised_and_a_strange_word_is_not() -> None:
    known = ["expect_status", "url", "timeout"]

    assert nearest("expect_sttaus", known) == "expect_status"
    assert did_you_mean("expect_sttaus", known) == " (did you mean 'expect_status'?)"
    assert nearest("zzzz", known) is None
    assert did_you_mean("zzzz", known) == ""
    assert did_you_mean("url", []) == ""


@quick
@given(st.text(max_size=50), st.integers(1, 60))
def test_a_clipped_text_keeps_its_begin_and_its_limit(text: str, limit: int) -> None:
    short = clip(text, limit)

    assert len(short) <= limit
    assert short == text if len(text) <= limit else short == text[: limit - 1] + "…"


@quick
@given(st.text(max_size=400), st.integers(1, 300))
def test_a_plain_text_stands_on_one_line_without_control_characters(text: str, limit: int) -> None:
    shown = plain(text, limit)

    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)


def test_a_plain_text_loses_what_reverses_reading_or_moves_the_cursor() -> None:
    assert plain("a\x1b[31mred\x00\r\nnext\tcolumn\u2028end") == "a [31mred next column end"
    assert plain("user\u202egnp.exe \u2066x\u2069") == "user gnp.exe x"
    assert plain("a" * 1000) == "a" * 299 + "…"


@pytest.mark.parametrize(
    ("said", "is_text"),
    [
        (b"Cannot allocate memory\n\0", True),
        ("ERR clé inconnue\r\n".encode(), True),
        (b"", True),
        (b"a\x13", False),
        (b"a\0b", False),
        (b"\xff", False),
    ],
)
def test_bytes_are_words_only_when_people_could_read_them(said: bytes, is_text: bool) -> None:
    assert is_words(said.decode("utf-8", "replace")) is is_text
