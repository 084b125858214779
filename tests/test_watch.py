"""Watch on the bench: what becomes of a verdict on its way, beside what each decision has in its own file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml

from monitor.config import Config, ConfigError
from monitor.model import Flag, Kind, Outcome, Status
from monitor.probes import Setting
from monitor.units import after, utc_now
from tests.bench import Bench, checks, on_the_bench
from tests.make import load, outcome

OK, FAIL, UNKNOWN = Status.OK, Status.FAIL, Status.UNKNOWN
TEXT = "global: {retries: 2, retry_interval: 5s, every: 60s, fail_after: 2}\nchecks:\n" + checks("web")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with on_the_bench(TEXT, tmp_path, monkeypatch) as one:
        one.turn()
        yield one


def test_each_round_has_its_retries_and_no_worker_waits_between_them(bench: Bench) -> None:
    bench.fail("web")
    bench.probed.clear()

    bench.turn(seconds=4.9)
    assert bench.probed == ["web"]
    assert bench.state("web").flags == {Flag.CONFIRMING}
    bench.loop.pass_s(10)
    assert (len(bench.probed), bench.status("web"), bench.lines("web")[-1].attempts) == (3, OK, 3)
    assert bench.lines("web")[-1].flags == (Flag.CONFIRMING,)
    bench.turn(seconds=20)
    assert (len(bench.probed), bench.status("web")) == (6, FAIL)
    assert bench.alert("web")


def test_the_lines_count_as_down_what_was_seen_down_whatever_the_status(bench: Bench) -> None:
    bench.loop.pass_s(59)
    bench.fail("web")
    bench.turn(seconds=60)
    bench.heal("web")
    bench.turn(seconds=60)

    assert bench.status("web") is OK
    assert bench.alert("web") is None
    down_s = sum(line.covers_s for line in bench.lines("web") if line.status is FAIL)
    assert 60 <= down_s <= 75


def test_a_configuration_that_changes_while_it_confirms_keeps_the_rounds_and_drops_the_probe(bench: Bench) -> None:
    bench.fail("web")
    bench.turn(seconds=20)
    bench.turn(seconds=1)
    bench.configure(TEXT.replace("every: 60s", "every: 61s"))
    assert bench.state("web").flags == {Flag.CONFIRMING}
    assert bench.state("web").trouble.turn is not None
    bench.loop.pass_s(30)
    assert bench.status("web") is OK
    bench.turn(seconds=20)
    assert bench.status("web") is FAIL


def test_what_was_good_is_shown_without_secrets(bench: Bench) -> None:
    def redact(seen: Outcome) -> Outcome:
        clean = {key: "***" if value == "s3cret" else value for key, value in seen.observed.items()}
        return replace(seen, observed=clean)

    loaded = load(TEXT)
    bench.watch.configure(loaded.checks, Setting(Path()), redact)
    bench.sees["web"] = outcome(OK, code=200, observed={"server": "s3cret"})
    bench.turn()
    bench.sees["web"] = outcome(FAIL, Kind.STATUS, code=500, observed={"server": "other"})
    bench.turn(seconds=30)

    assert bench.lines("web")[-1].outcome.observed["changed"] == [["code", "200", "500"], ["server", "***", "other"]]
    assert "s3cret" not in str(bench.state("web").to_json())
    assert "s3cret" not in str([line.to_json() for line in bench.lines("web") if line.status is FAIL])


def test_only_the_first_bad_line_names_what_changed(bench: Bench) -> None:
    bench.fail("web", kind=Kind.STATUS, code=500)
    bench.sees["web"] = replace(bench.sees["web"], observed={"address": "b"})
    watched = bench.watch.watched["web"]
    good = watched.state.good
    assert good is not None
    watched.state = replace(watched.state, good=replace(good, outcome=replace(good.outcome, observed={"address": "a"})))
    bench.turn(seconds=20)
    bench.turn(seconds=20)

    assert [line.outcome.observed.get("changed") for line in bench.lines("web") if line.status is FAIL] == [
        [["address", "a", "b"]],
        None,
    ]
    alert = bench.alert("web")
    assert alert is not None
    assert alert.message == "refused; changed since last good: address a → b"


def test_a_look_by_hand_does_not_shift_the_next_turn(bench: Bench) -> None:
    planned = bench.watch.watched["web"].next_at
    bench.loop.pass_s(20)
    assert bench.watch.look("web", by_hand=True)
    bench.loop.pass_s(1)

    assert len(bench.lines("web")) == 2
    assert bench.watch.watched["web"].next_at == planned


def test_a_check_that_rests_is_looked_at_by_hand_and_has_its_turns_when_it_goes_on(bench: Bench) -> None:
    bench.watch.flag("web", Flag.PAUSED, True)
    bench.loop.pass_s(59)
    bench.turn()
    assert bench.watch.watched["web"].next_at == after(utc_now(), 59)
    assert len(bench.lines("web")) == 1
    assert bench.watch.look("web", by_hand=True)
    bench.loop.pass_s(1)
    assert len(bench.lines("web")) == 2


def test_a_turn_whose_probe_is_still_on_its_way_is_counted_and_left_out(bench: Bench) -> None:
    bench.takes_s["web"] = 70
    bench.turn()
    assert not bench.watch.look("web", by_hand=True)
    assert bench.watch.overruns == 0
    bench.turn("web")
    bench.loop.pass_s(70)

    assert bench.watch.overruns == 1
    assert len(bench.lines("web")) == 2


def test_a_look_out_of_turn_leaves_a_check_that_rests_alone(bench: Bench) -> None:
    bench.watch.flag("web", Flag.PAUSED, True)
    bench.probed.clear()
    bench.watch.look("web", again=True)
    bench.watch.look("nobody")
    bench.loop.pass_s(5)

    assert bench.probed == []


def test_retry_interval_has_an_older_name_that_holds_as_it_did() -> None:
    url = "type: http, url: 'http://a'"
    loaded = load(f"""
global: {{retry_backoff_s: 3s, fail_after: 2, recover_after: 4, flap_detection: false, flap_low: 5, flap_high: 50}}
checks:
  - {{name: old, {url}, retry_backoff_s: 8}}
  - {{name: new, {url}, retry_interval: 9s, fail_after: 1, flap_detection: true}}
  - {{name: neither, {url}}}
""")
    found = loaded.checks

    assert [check.retry_interval for check in found.values()] == [8, 9, 3]
    assert [check.fail_after for check in found.values()] == [2, 1, 2]
    assert [check.flap_detection for check in found.values()] == [False, True, False]
    assert {(check.recover_after, check.flap_low, check.flap_high) for check in found.values()} == {(4, 5, 50)}
    assert found["old"].retry_backoff_s == 8


def test_the_schema_takes_either_name_of_retry_interval_and_no_third() -> None:
    validator = jsonschema.Draft202012Validator(Config.model_json_schema(by_alias=True))
    for name in ("retry_interval", "retry_backoff_s"):
        text = f"global: {{{name}: 3s}}\nchecks: [{{name: a, type: http, url: 'http://a', {name}: 5}}]"
        assert validator.is_valid(yaml.safe_load(text)), name
    assert not validator.is_valid({"global": {"retry_backof_s": 3}})


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("retry_interval: 0", "retry_interval: expected greater than 0, got 0"),
        ("retry_backoff_s: 0", "retry_backoff_s: expected greater than 0, got 0"),
        ("retry_intervall: 1", "unknown key 'retry_intervall' (did you mean 'retry_interval'?)"),
        ("fail_after: 0", "fail_after: expected greater than or equal to 1, got 0"),
        ("flap_low: 40", "flap_low: expected at most flap_high (30), got 40"),
    ],
)
def test_a_wrong_value_is_said_with_the_name_that_the_file_has(keys: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"checks:\n  - {{name: a, type: http, url: 'http://a', {keys}}}")

    assert caught.value.errors == [f"checks.yaml:2: check 'a': {error}"]
