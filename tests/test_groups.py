"""Groups: how several checks are judged as one, what the file may say of them, and when they are looked at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import CheckBase, ConfigError, GroupCheck, members_of
from monitor.groups import Member, judged
from monitor.model import Flag, Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.bench import Bench, checks, on_the_bench
from tests.make import http_check, load, outcome, quick

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN
STATUSES = st.lists(st.sampled_from(Status), min_size=1, max_size=8)


def group(**keys: object) -> GroupCheck:
    return GroupCheck.model_validate({"name": "all", "type": "group", "members_tag": "x"} | keys)


def members(*statuses: Status) -> list[Member]:
    kinds = {FAIL: Kind.CONNECT, WARN: Kind.SLOW, UNKNOWN: Kind.VANTAGE}
    return [Member(f"m{n}", status, kinds.get(status)) for n, status in enumerate(statuses)]


def seen(check: GroupCheck, *statuses: Status) -> tuple[Status, Kind | None]:
    verdict = judged(check, members(*statuses))
    return verdict.status, verdict.kind


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((OK, OK), (OK, None)),
        ((OK, WARN), (WARN, Kind.SLOW)),
        ((OK, UNKNOWN, WARN), (UNKNOWN, Kind.VANTAGE)),
        ((OK, UNKNOWN, FAIL, WARN), (FAIL, Kind.CONNECT)),
    ],
)
def test_a_group_is_as_bad_as_its_worst_member_and_unknown_hides_no_failure(
    statuses: tuple[Status, ...], verdict: tuple[Status, Kind | None]
) -> None:
    assert seen(group(), *statuses) == verdict
    assert seen(group(mode="worst"), *statuses) == verdict


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((OK, OK, OK, OK), (OK, None)),
        ((OK, WARN, WARN, FAIL), (OK, None)),
        ((OK, WARN, FAIL, FAIL), (WARN, Kind.CONNECT)),
        ((OK, FAIL, FAIL, FAIL), (FAIL, Kind.CONNECT)),
        ((OK, UNKNOWN, FAIL, FAIL), (UNKNOWN, Kind.VANTAGE)),
        ((UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), (UNKNOWN, Kind.VANTAGE)),
        ((OK, OK, UNKNOWN, UNKNOWN), (WARN, Kind.VANTAGE)),
        ((OK, OK, OK, UNKNOWN), (OK, None)),
    ],
)
def test_at_least_two_of_four_warn_below_three(
    statuses: tuple[Status, ...], verdict: tuple[Status, Kind | None]
) -> None:
    check = group(at_least=2, warn_below=3)
    assert seen(check, *statuses) == verdict


def test_the_message_says_how_many_are_up_and_who_is_not() -> None:
    fewer = judged(group(at_least=3), members(OK, FAIL, UNKNOWN, FAIL))

    assert fewer.message == "1 of 4 members are up, expected at least 3: m1 FAIL, m3 FAIL, m2 UNKNOWN"
    assert str(fewer.findings[0]) == "m1 is FAIL, expected OK"
    assert fewer.observed["members"] == {"m1": "FAIL", "m3": "FAIL", "m2": "UNKNOWN", "m0": "OK"}
    assert judged(group(), members(OK, OK)).message == "2 of 2 members are up"
    few = judged(group(at_least=1, warn_below=3), members(OK, WARN, FAIL))
    assert few.message == "2 of 3 members are up, expected at least 3: m2 FAIL, m1 WARN"


def test_a_thousand_members_make_a_short_verdict() -> None:
    verdict = judged(group(), members(*[FAIL] * 1000))

    assert verdict.message.endswith("m4 FAIL and 995 more")
    assert len(verdict.findings) == 50


def test_a_group_without_members_is_not_green() -> None:
    assert seen(group()) == (UNKNOWN, Kind.UNCONFIGURED)
    assert judged(group(), ()).message == "no check is a member: checks with the tag x"
    alone = run_probe(group(), Setting(Path()))
    assert (alone.status, alone.message) == (
        UNKNOWN,
        "a group is judged by the running checker, which knows its members",
    )


@quick
@given(STATUSES, st.integers(1, 8), st.none() | st.integers(2, 9))
def test_whatever_the_unknown_members_are_green_is_right_and_red_is_right(
    statuses: list[Status], at_least: int, warn_below: int | None
) -> None:
    check = group(at_least=at_least, warn_below=warn_below if warn_below and warn_below > at_least else None)
    for check_ in (check, group()):
        status = seen(check_, *statuses)[0]
        for other in (OK, FAIL):
            truth = seen(check_, *[other if one is UNKNOWN else one for one in statuses])[0]
            if status in (OK, FAIL):
                assert truth is status
            elif status is WARN:
                assert truth is not FAIL


# the file


FILE = """
checks:
  - {name: a, type: http, url: "http://a", tags: [shop], group: Front}
  - {name: b, type: http, url: "http://b", tags: [shop, eu]}
  - {name: c, type: http, url: "http://c", group: Front}
"""


def test_members_are_named_or_picked_by_tag_or_by_their_group_of_cards() -> None:
    every = tuple(load(FILE).checks.values())

    assert members_of(group(members_tag=None, members=["c", "a"]), every) == ("c", "a")
    assert members_of(group(members_tag="shop", tags=["shop"]), every) == ("a", "b")
    own: CheckBase = group(members_tag=None, members_group="Front", group="Front")
    assert isinstance(own, GroupCheck)
    assert members_of(own, [*every, own]) == ("a", "c")


def test_a_group_may_be_a_member() -> None:
    loaded = load(FILE + "  - {name: g, type: group, members: [a, h]}\n  - {name: h, type: group, members_tag: eu}\n")

    assert list(loaded.checks) == ["a", "b", "c", "g", "h"]


@pytest.mark.parametrize(
    ("lines", "errors"),
    [
        (
            ["{name: g, type: group, members: [a, bb]}"],
            ["checks.yaml:6: check 'g': members: unknown member 'bb' (did you mean 'b'?)"],
        ),
        (
            ["{name: g, type: group, members: [g]}"],
            ["checks.yaml:6: check 'g': members: goes round in a circle: g → g"],
        ),
        (
            [
                "{name: g, type: group, members: [a, h]}",
                "{name: h, type: group, members: [i]}",
                "{name: i, type: group, members: [g]}",
            ],
            ["checks.yaml:6: check 'g': members: goes round in a circle: g → h → i → g"],
        ),
        (
            [
                "{name: g, type: group, members_tag: shop, tags: [eu]}",
                "{name: h, type: group, members_tag: eu}",
                "{name: i, type: group, members: [g, h], tags: [shop]}",
            ],
            ["checks.yaml:6: check 'g': members: goes round in a circle: g → i → g"],
        ),
        (
            ["{name: g, type: group, members: [a, b], at_least: 3, warn_below: 4}"],
            [
                "checks.yaml:6: check 'g': at_least: expected at most 2 (its members), got 3",
                "checks.yaml:6: check 'g': warn_below: expected at most 2 (its members), got 4",
            ],
        ),
        (
            ["{name: g, type: group}", "{name: h, type: group, members: [a], members_tag: x}"],
            [
                "checks.yaml:6: check 'g': expected one of members, members_tag or members_group, got none",
                "checks.yaml:7: check 'h': expected one of members, members_tag or members_group, "
                "got members and members_tag",
            ],
        ),
        (
            ["{name: g, type: group, members: [a], mode: at_least}"],
            ["checks.yaml:6: check 'g': expected `at_least: N` beside mode: at_least, got none"],
        ),
        (
            ["{name: g, type: group, members: [a], mode: worst, at_least: 1}"],
            ["checks.yaml:6: check 'g': expected mode: at_least beside at_least: 1, got mode: worst"],
        ),
        (
            ["{name: g, type: group, members: [a, b], at_least: 1, warn_below: 1}"],
            ["checks.yaml:6: check 'g': expected warn_below to be more than at_least, got 1 and 1"],
        ),
        (
            ["{name: g, type: group, members: [a, a]}"],
            ["checks.yaml:6: check 'g': expected each member once, got a, a"],
        ),
    ],
)
def test_a_group_that_cannot_be_judged_is_refused_with_the_reason(lines: list[str], errors: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(FILE + "".join(f"  - {line}\n" for line in lines))

    assert caught.value.errors == errors


# in the checker

TEXT = f"""
global: {{retries: 0, every: 30s}}
checks:
{checks("a", "b", "c")}  - {{name: two, type: group, members: [a, b, c], at_least: 2, retries: 9}}
  - {{name: top, type: group, members: [two]}}
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with on_the_bench(TEXT, tmp_path, monkeypatch) as one:
        yield one


def test_a_group_follows_its_members_at_once_and_so_does_a_group_of_it(bench: Bench) -> None:
    bench.turn()
    assert [bench.status(name) for name in ("two", "top")] == [OK, OK]
    bench.fail("a")
    bench.turn("a")
    assert bench.status("two") is OK
    bench.fail("b", kind=Kind.TIMEOUT)
    bench.turn("b")
    assert [bench.status(name) for name in ("two", "top")] == [FAIL, FAIL]
    assert bench.state("top").kind is Kind.CONNECT
    assert bench.alert("two") and bench.alert("top")
    bench.heal("a")
    bench.turn("a")
    assert [bench.status(name) for name in ("two", "top")] == [OK, OK]
    assert not bench.alert("top")


def test_members_that_change_together_have_their_group_looked_at_once(bench: Bench) -> None:
    bench.turn()
    before = len(bench.lines("two"))
    bench.fail("a", "b", "c")

    bench.turn("a", "b", "c")

    assert len(bench.lines("two")) == before + 1


def test_a_member_that_changes_while_the_group_is_being_judged_is_not_missed(bench: Bench) -> None:
    bench.turn()
    bench.fail("a", "b")
    bench.takes_s["two"] = 5.0
    bench.turn("a", "b", seconds=1)
    bench.heal("a")
    bench.turn("a", seconds=20)

    assert bench.status("two") is OK
    assert bench.alert("two") is None


def test_what_was_true_of_its_members_when_it_was_looked_at_is_no_verdict_of_now(bench: Bench) -> None:
    bench.turn()
    lines = len(bench.lines("two"))
    bench.fail("a", "b")
    bench.takes_s["two"] = 1.0
    bench.turn("a", "b", seconds=0.5)
    bench.heal("a")
    bench.turn("a", seconds=10)

    assert {line.status for line in bench.lines("two")[lines:]} == {OK}


def test_a_group_whose_members_change_all_the_time_gets_its_verdicts(bench: Bench) -> None:
    bench.turn()
    bench.takes_s["two"] = 1.0
    lines = len(bench.lines("two"))
    for turn in range(20):
        (bench.fail if turn % 2 else bench.heal)("a")
        bench.turn("a", seconds=0.5)

    assert len(bench.lines("two")) > lines + 1


def test_a_paused_member_and_one_not_judged_yet_are_unknown_and_one_not_enabled_is_left_out(bench: Bench) -> None:
    bench.turn("two")
    assert bench.status("two") is UNKNOWN
    bench.turn()
    bench.watch.flag("a", Flag.PAUSED, True)
    bench.watch.flag("b", Flag.PAUSED, True)
    bench.loop.pass_s(1)
    assert bench.status("two") is UNKNOWN
    assert bench.state("two").message.endswith("a UNKNOWN, b UNKNOWN")
    bench.watch.flag("a", Flag.PAUSED, False)
    bench.loop.pass_s(1)
    assert bench.status("two") is OK
    bench.configure(TEXT.replace("example'}", "example', enabled: false}", 1))
    bench.turn("two")
    assert bench.state("two").message.endswith("1 of 2 members are up, expected at least 2: b UNKNOWN")


def test_a_member_that_nobody_looked_at_for_long_is_unknown(bench: Bench) -> None:
    bench.turn()
    bench.loop.pass_s(600)
    bench.turn("two")

    assert bench.status("two") is UNKNOWN


def test_a_blind_checker_makes_no_group_fail(bench: Bench) -> None:
    bench.turn()
    for name in ("a", "b", "c"):
        bench.sees[name] = outcome(UNKNOWN, Kind.VANTAGE)
    bench.turn("a", "b", "c")

    assert (bench.status("two"), bench.state("two").kind) == (UNKNOWN, Kind.VANTAGE)
    assert bench.alert("two") is None


WARNS = TEXT.replace("at_least: 2,", "at_least: 1, warn_below: 3,")


def test_a_group_is_not_judged_before_each_of_its_members_was_once(bench: Bench) -> None:
    bench.configure(WARNS)
    bench.takes_s["c"] = 5.0
    bench.turn(seconds=4)
    assert [bench.state(name).message for name in ("two", "top")] == ["not checked yet"] * 2

    bench.loop.pass_s(4)

    assert [line.status for line in bench.lines("two")] == [OK]
    assert [line.status for line in bench.lines("top")] == [OK]


def test_a_member_that_could_not_be_judged_is_not_waited_for(bench: Bench) -> None:
    bench.sees["c"] = outcome(UNKNOWN, Kind.UNCONFIGURED)
    bench.watch.flag("b", Flag.PAUSED, True)
    bench.turn()

    assert bench.state("two").message == "1 of 3 members are up, expected at least 2: b UNKNOWN, c UNKNOWN"


def test_a_group_waits_for_one_interval_at_most(bench: Bench) -> None:
    bench.takes_s["c"] = 1000.0
    bench.turn(seconds=30)
    assert not bench.lines("two")

    bench.turn("two")

    assert bench.lines("two")[-1].outcome.message == "2 of 3 members are up"
    assert bench.lines("two")[-1].outcome.observed["members"] == {"a": "OK", "b": "OK", "c": "UNKNOWN"}


def test_a_group_that_somebody_looks_at_waits_for_nobody(bench: Bench) -> None:
    assert bench.watch.look("two", by_hand=True)
    bench.loop.pass_s(1)

    assert [line.status for line in bench.lines("two")] == [UNKNOWN]


def test_after_a_reload_known_members_stay_known_and_new_ones_are_waited_for(bench: Bench) -> None:
    bench.configure(WARNS)
    bench.turn()
    bench.loop.pass_s(29)
    lines = len(bench.lines("two"))
    bench.takes_s["d"] = 3.0
    bench.configure(
        WARNS.replace("checks:\n", f"checks:\n{checks('d')}")
        .replace("[a, b, c]", "[a, b, c, d]")
        .replace("warn_below: 3", "warn_below: 4")
        # Their last verdicts are too old for this.
        .replace("example'}", "example', every: 5s}")
    )
    bench.turn()
    bench.loop.pass_s(5)

    assert {line.status for line in bench.lines("two")[lines:]} == {OK}
    assert bench.state("two").message == "4 of 4 members are up"


def test_a_group_uses_no_retries_its_members_have_had_theirs(bench: Bench) -> None:
    bench.turn()
    bench.fail("a", "b")
    bench.turn("a", "b")

    assert bench.lines("two")[-1].attempts == 1


def test_the_probe_of_a_group_is_pure(tmp_path: Path) -> None:
    setting = Setting(tmp_path, members=(Member("a", FAIL, Kind.DNS, "no such name"),))

    verdict: Outcome = run_probe(group(), setting)

    assert (verdict.status, verdict.kind) == (FAIL, Kind.DNS)
    assert http_check().is_computed is False
