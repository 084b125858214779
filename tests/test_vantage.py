"""Greenwall's own eyesight: when most fail at once and no sentinel answers, it is us, and no alert is false."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts import What
from monitor.config import CHECK_MODELS, ConfigError
from monitor.model import Flag, Kind, Outcome, Status
from monitor.vantage import Eyesight, Others, answered, got_no_answer, unseen, view_of
from tests.bench import Bench, checks, on_the_bench
from tests.make import load, outcome, quick

OK, FAIL, UNKNOWN = Status.OK, Status.FAIL, Status.UNKNOWN
SHOPS = ("s1", "s2", "s3", "s4", "s5", "s6")
SENTINELS = ("gateway", "resolver")
TEXT = f"""
global: {{retries: 0, every: 30s, timeout: 5s, flap_detection: false}}
vantage: {{sentinels: [gateway, resolver], share: 0.5, within: 60s}}
checks:
{checks(*SENTINELS, *SHOPS)}  - {{name: cpu, type: host, metric: cpu, warn_percent: 90}}
  - {{name: shops, type: group, members: [{", ".join(SHOPS)}], at_least: 3}}
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with on_the_bench(TEXT, tmp_path, monkeypatch) as one:
        one.turn()
        one.loop.pass_s(20)
        yield one


def alerts(bench: Bench) -> list[str]:
    return [alert.resource for alert in bench.desk.book.all()]


# the decision


def test_each_decision_has_a_reason() -> None:
    def view(sentinels: dict[str, bool | None], others: Others, waited_s: float = 1.0) -> tuple[str, str]:
        found = view_of(sentinels, others, 0.5, waited_s, 60.0)
        return found.eyesight.value, found.reason

    silent: dict[str, bool | None] = {"gw": False, "dns": False}
    assert view({"gw": True, "dns": False}, Others(9, 9, 0)) == ("sees", "gw answers")
    assert view(silent, Others(9, 5, 4)) == ("blind", "no answer from gw, dns and from 5 of 9 other checks at once")
    assert view(silent, Others(9, 4, 1)) == (
        "wait",
        "no sentinel answers; only 4 of 9 other checks get no answer so far",
    )
    assert view(silent, Others(9, 4, 0)) == ("sees", "only 4 of 9 other checks get no answer")
    assert view(silent, Others(9, 4, 5), 60.0) == ("sees", "only 4 of 9 other checks get no answer within 1 m")
    assert view({"gw": False, "dns": None}, Others(9, 9, 0))[0] == "wait"
    assert view({"gw": False, "dns": None}, Others(9, 9, 0), 60.0)[0] == "sees"
    assert view(silent, Others(0, 0, 0)) == ("sees", "there is no other check to compare with")


@quick
@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from([True, False, None]), min_size=1),
    st.integers(0, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    st.floats(0.05, 1),
    st.floats(0, 120),
)
def test_blind_only_when_every_sentinel_is_silent_and_a_failure_is_held_no_longer_than_within(
    sentinels: dict[str, bool | None], counts: tuple[int, int], share: float, waited_s: float
) -> None:
    others = Others(counts[0], counts[1], counts[0] - counts[1])
    view = view_of(sentinels, others, share, waited_s, 60.0)

    is_blind = set(sentinels.values()) == {False} and others.count > 0 and others.failing >= share * others.count
    assert (view.eyesight is Eyesight.BLIND) == is_blind
    assert view.eyesight is not Eyesight.WAIT or waited_s < 60.0
    assert view.reason


@pytest.mark.parametrize("kind", Kind)
def test_only_what_needs_no_answer_may_be_our_own_fault(kind: Kind) -> None:
    if kind in (Kind.VANTAGE, Kind.INTERNAL, Kind.UNCONFIGURED):
        assert answered(Outcome(UNKNOWN, kind)) is None
        return
    silent = kind in (Kind.DNS, Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.PROTOCOL)
    assert got_no_answer(outcome(FAIL, kind)) is silent
    assert answered(outcome(FAIL, kind)) is not silent
    assert answered(outcome(OK)) is True


def test_what_could_not_be_seen_keeps_what_was_seen() -> None:
    verdict = unseen(outcome(FAIL, Kind.DNS, message="no such name", observed={"address": "x"}), "why")

    assert (verdict.status, verdict.kind, verdict.message) == (UNKNOWN, Kind.VANTAGE, "Greenwall cannot see: why")
    assert verdict.observed == {"address": "x", "seen": {"kind": "dns", "message": "no such name"}}


# the file


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("[gateway, resolver]", "[gatway]", ":3: vantage.sentinels: unknown check 'gatway' (did you mean 'gateway'?)"),
        (
            "[gateway, resolver]",
            "[cpu]",
            ":3: vantage.sentinels: expected a check that looks out into the network, got 'cpu' (type host)",
        ),
        ("share: 0.5", "share: 2", ":3: vantage.share: expected less than or equal to 1, got 2"),
    ],
)
def test_sentinels_are_checks_of_the_network(old: str, new: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(TEXT.replace(old, new))

    assert caught.value.errors == [f"checks.yaml{error}"]


def test_what_looks_at_this_machine_or_at_other_checks_is_no_check_of_the_network() -> None:
    near = {kind for kind, model in CHECK_MODELS.items() if not model.reaches_out}

    assert near == {"host", "group", "systemd", "docker", "heartbeat"}


# in the checker


def test_while_sentinels_answer_a_failure_is_believed_within_moments(bench: Bench) -> None:
    bench.fail("s1", kind=Kind.TIMEOUT)
    bench.turn("s1", seconds=0.1)

    assert bench.status("s1") is FAIL
    assert alerts(bench) == ["s1"]
    assert bench.probed[:-1][-3:] == ["s1", "gateway", "resolver"]


def test_a_failure_with_an_answer_asks_no_sentinel(bench: Bench) -> None:
    bench.fail("s1", kind=Kind.STATUS)
    bench.probed.clear()
    bench.turn("s1", seconds=0.05)

    assert alerts(bench) == ["s1"]
    assert bench.probed == ["s1"]


def test_when_most_fail_at_once_and_no_sentinel_answers_one_alert_says_that_greenwall_cannot_see(
    bench: Bench,
) -> None:
    bench.fail(*SENTINELS, *SHOPS, kind=Kind.TIMEOUT)
    bench.live(90)

    assert alerts(bench) == ["Greenwall"]
    (alert,) = bench.desk.book.all()
    assert (alert.title, alert.source, alert.kind) == ("Greenwall cannot see", "vantage", Kind.VANTAGE)
    assert alert.message.startswith("no answer from gateway, resolver and from")
    for name in (*SENTINELS, *SHOPS):
        assert (bench.status(name), bench.state(name).kind) == (UNKNOWN, Kind.VANTAGE)
        assert not [line for line in bench.lines(name) if line.status is FAIL], name
    assert bench.status("shops") is UNKNOWN
    assert bench.status("cpu") is OK


def test_no_downtime_is_booked_and_the_time_is_unknown_to_the_second(bench: Bench) -> None:
    bench.live(29)
    before = {name: len(bench.lines(name)) for name in SHOPS}
    bench.fail(*SENTINELS, *SHOPS)
    bench.takes_s |= dict.fromkeys((*SENTINELS, *SHOPS), 5.0)
    bench.loop.pass_s(120)

    for name in SHOPS:
        lines = bench.lines(name)[before[name] :]
        assert {line.status for line in lines} <= {OK, UNKNOWN}
        assert sum(line.covers_s for line in lines) > 100


def test_when_a_sentinel_answers_again_all_are_looked_at_and_the_end_is_told(bench: Bench) -> None:
    bench.fail(*SENTINELS, *SHOPS)
    bench.live(60)
    assert bench.watch.sight.is_blind
    bench.heal(*SENTINELS, *SHOPS)
    bench.fail("s1", kind=Kind.CONNECT)
    bench.loop.pass_s(5)

    assert not bench.watch.sight.is_blind
    assert [bench.status(name) for name in SHOPS[1:]] == [OK] * 5
    assert alerts(bench) == ["Greenwall", "s1"]
    greenwall = bench.desk.book.all()[0]
    assert greenwall.resolution in ("Greenwall sees again: gateway answers", "Greenwall sees again: resolver answers")
    assert [view.eyesight for view in bench.views] == [Eyesight.BLIND, Eyesight.SEES]


def test_alerts_that_were_open_stay_open_and_are_resolved_by_what_is_seen_later(bench: Bench) -> None:
    bench.fail("s1")
    bench.turn("s1")
    opened = bench.alert("s1")
    assert opened
    bench.fail(*SENTINELS, *SHOPS)
    bench.live(90)
    assert bench.status("s1") is UNKNOWN
    assert bench.alert("s1") == opened
    bench.heal(*SENTINELS, *SHOPS)
    bench.loop.pass_s(40)

    assert bench.alert("s1") is None
    assert alerts(bench) == ["s1", "Greenwall"]
    assert not bench.desk.book.open()


def test_sentinels_that_fail_alone_are_failures_like_any_other(bench: Bench) -> None:
    bench.fail(*SENTINELS)
    bench.turn("gateway", seconds=5)
    bench.turn("resolver", seconds=5)

    assert sorted(alerts(bench)) == ["gateway", "resolver"]
    assert not bench.watch.sight.is_blind


def test_too_few_others_that_fail_are_believed_as_soon_as_all_have_been_looked_at(bench: Bench) -> None:
    bench.fail(*SENTINELS, "s1", "s2")
    bench.turn("s1", "s2", seconds=10)

    assert {"s1", "s2"} <= set(alerts(bench))
    assert "Greenwall" not in alerts(bench)


def test_a_failure_is_held_no_longer_than_within_and_its_time_is_down_time(bench: Bench) -> None:
    bench.fail(*SENTINELS, "s1")
    # The others cannot be looked at in time: nobody knows whether most fail.
    bench.takes_s |= dict.fromkeys(SHOPS[1:], 500.0)
    for name in SHOPS[1:]:
        bench.watch.start(name)
    bench.turn("s1", seconds=50)
    assert bench.status("s1") is OK
    assert Flag.CONFIRMING in bench.state("s1").flags
    bench.loop.pass_s(12)

    assert alerts(bench) == ["s1"]
    line = bench.lines("s1")[-1]
    assert (line.status, line.covers_s > 60) == (FAIL, True)


def test_checks_that_were_down_for_long_are_not_counted_but_not_judged_either(bench: Bench) -> None:
    bench.fail("s1", "s2", "s3", "s4")
    bench.turn("s1", "s2", "s3", "s4", seconds=100)
    assert len(alerts(bench)) == 5
    bench.fail(*SENTINELS, "s5")
    bench.live(100)

    # One of the two that were well fails: that is half of them.
    assert "Greenwall" in alerts(bench)
    assert bench.state("s5").kind is Kind.VANTAGE
    assert bench.state("s1").kind is Kind.VANTAGE
    assert len(bench.desk.book.open()) == 6


def test_checks_that_were_down_for_long_make_no_blindness_of_sentinels_that_fail(bench: Bench) -> None:
    bench.fail("s1", "s2", "s3", "s4")
    bench.turn("s1", "s2", "s3", "s4", seconds=100)
    bench.fail(*SENTINELS)
    bench.turn(*SENTINELS, seconds=20)

    assert {*SENTINELS} <= set(alerts(bench))
    assert "Greenwall" not in alerts(bench)


def test_what_is_known_to_be_down_is_believed_without_a_question(bench: Bench) -> None:
    bench.fail("s1")
    bench.turn("s1", seconds=5)
    bench.probed.clear()
    bench.turn("s1")

    assert bench.probed == ["s1"]
    assert bench.state("s1").streak == 2


def test_what_began_while_nothing_could_be_seen_is_looked_at_again(bench: Bench) -> None:
    bench.fail(*SENTINELS, *SHOPS)
    bench.live(60)
    bench.takes_s["s1"] = 10.0
    bench.turn("s1", seconds=1)
    bench.heal(*SENTINELS, *SHOPS)
    bench.fail("s1")
    bench.takes_s["s1"] = 0.5
    bench.loop.pass_s(9.2)
    assert not bench.watch.sight.is_blind
    assert bench.state("s1").message.endswith("the probe began before Greenwall saw again")
    bench.heal("s1")
    bench.loop.pass_s(5)

    assert bench.status("s1") is OK
    assert alerts(bench) == ["Greenwall"]


def test_a_restart_while_blind_sends_no_second_message_and_the_end_is_told(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fail(*SENTINELS, *SHOPS)
    bench.live(60)
    bench.desk.commit()
    with on_the_bench(TEXT, tmp_path, monkeypatch) as again:
        assert again.watch.sight.is_blind
        again.fail(*SENTINELS, *SHOPS)
        again.live(60)
        assert alerts(again) == ["Greenwall"]
        again.heal(*SENTINELS, *SHOPS)
        again.loop.pass_s(40)
        assert not again.desk.book.open()
        assert [event.what for event in again.desk.book.all()[0].events].count(What.OPENED) == 1


def test_without_the_block_nothing_is_held_and_taking_it_out_ends_it(bench: Bench) -> None:
    bench.fail(*SENTINELS, *SHOPS)
    bench.live(60)
    without = "\n".join(line for line in TEXT.splitlines() if not line.startswith("vantage"))
    bench.configure(without)

    assert not bench.watch.sight.is_blind
    assert not bench.desk.book.open()
    bench.live(60)
    assert set(alerts(bench)) == {"Greenwall", *SENTINELS, *SHOPS, "shops"}


def test_taking_it_out_while_failures_are_held_lets_them_go(bench: Bench) -> None:
    bench.fail(*SENTINELS, "s1")
    bench.takes_s |= dict.fromkeys(SENTINELS, 4.0)
    bench.turn("s1", seconds=1)
    assert alerts(bench) == []
    bench.configure("\n".join(line for line in TEXT.splitlines() if not line.startswith("vantage")))

    assert alerts(bench) == ["s1"]


def test_paused_sentinels_show_nothing(bench: Bench) -> None:
    for name in SENTINELS:
        bench.watch.flag(name, Flag.PAUSED, True)
    bench.fail(*SENTINELS, *SHOPS)
    bench.live(60)

    assert set(alerts(bench)) == {*SHOPS, "shops"}


def test_pausing_all_sentinels_while_blind_ends_it(bench: Bench) -> None:
    bench.fail(*SENTINELS, *SHOPS)
    bench.live(60)
    for name in SENTINELS:
        bench.watch.flag(name, Flag.PAUSED, True)
    bench.loop.pass_s(5)

    assert not bench.watch.sight.is_blind


def test_a_sentinel_that_hangs_keeps_the_other_from_nothing(bench: Bench) -> None:
    bench.takes_s["gateway"] = 5.0
    bench.fail("gateway", "s1", kind=Kind.TIMEOUT)
    bench.turn("s1", seconds=0.5)

    assert alerts(bench) == ["s1"]


def test_a_storm_of_failures_asks_each_sentinel_a_few_times_only(tmp_path: Path, monkeypatch: Any) -> None:
    names = [f"n{index}" for index in range(300)]
    text = TEXT.split("checks:")[0] + "checks:\n" + checks(*SENTINELS, *names)
    with on_the_bench(text, tmp_path, monkeypatch) as bench:
        bench.turn()
        bench.loop.pass_s(20)
        bench.fail(*names)
        bench.probed.clear()
        bench.turn(*names, seconds=1)

        assert len(alerts(bench)) == 300
        assert bench.probed.count("gateway") <= 5


@quick
@given(st.data())
def test_whatever_fails_and_recovers_no_failure_is_lost_and_no_outage_of_ours_is_theirs(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch, _folder() as folder, on_the_bench(TEXT, folder, patch) as bench:
        bench.turn()
        bench.live(1)
        for _ in range(data.draw(st.integers(1, 6))):
            ours = data.draw(st.booleans(), "our network is gone")
            theirs = data.draw(st.sets(st.sampled_from(SHOPS), max_size=2))
            bench.heal(*SENTINELS, *SHOPS)
            bench.fail(*(SENTINELS + SHOPS if ours else theirs))
            already = {alert.resource for alert in bench.desk.book.open()}
            # Longer than `within`: everything is decided by then.
            bench.loop.pass_s(data.draw(st.sampled_from([95.0, 130.0])))
            is_open = {alert.resource for alert in bench.desk.book.open()}
            if ours:
                assert is_open == already | {"Greenwall"}
            else:
                assert is_open - {"shops"} == theirs
            assert not bench.watch.sight._held


def _folder() -> Any:
    from tempfile import TemporaryDirectory

    class Folder(TemporaryDirectory):  # type: ignore[type-arg]
        def __enter__(self) -> Path:  # type: ignore[override]
            return Path(super().__enter__())

    return Folder()
