"""Rules: what they may say, when they fire and end, what that means beside a check's own alert."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts import CHECKER, Alert, AlertBook, AlertEvent, Decision, What, on_verdict, resolve
from monitor.config import CheckBase, ConfigError, HostCheck
from monitor.config.ruleblock import BUILT_IN, OBSERVED, OWN_ALERT, VARIABLES, built_in_rules, compile_condition
from monitor.model import Category, Flag, Severity, Status
from monitor.rules import (
    Cleared,
    Fired,
    Look,
    NotJudged,
    Rule,
    Turns,
    Unjudged,
    Uptime,
    on_cleared,
    on_fired,
    on_rule_removed,
    rules_of,
)
from monitor.state import Rules, advance, unchecked
from tests.conftest import ROOT
from tests.make import at, http_check, load, quick, result

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN


def rule(condition: str = "response_time_ms > 100", name: str = "mine", **keys: Any) -> Rule:
    return Rule.of(load(_file({"name": name, "condition": condition} | keys)).config.rules[0])


def _file(*rules: dict[str, Any]) -> str:
    import json

    return f"checks: []\nrules: {json.dumps(list(rules))}\n"


def look(status: Status = OK, check: CheckBase | None = None, uptime: float | None = None, **fields: Any) -> Look:
    verdict = result(status, **fields)
    state, _ = advance(unchecked(at(-1)), verdict)
    return Look(check or http_check(), state, verdict, lambda: uptime)


class House:
    """One check with its rules, a verdict each second, and the book that both write."""

    def __init__(self, *rules: Rule, check: CheckBase | None = None) -> None:
        self.check = check or http_check(warn_ms=100)
        self.turns = Turns()
        self.turns.configure(rules, {self.check.name: self.check})
        self.state = unchecked(at(-1))
        self.book = AlertBook()
        self.second = 0
        self.uptime: float | None = None
        self.decisions: list[Decision] = []

    def see(self, *statuses: Status, **fields: Any) -> None:
        for status in statuses:
            self.second += 1
            verdict = result(status, self.second, **fields)
            self.state, _ = advance(self.state, verdict)
            self.take(on_verdict(self.check, self.state, self.book.latest("shop"), verdict.at))
            self.ask(Look(self.check, self.state, verdict, lambda: self.uptime))

    def ask(self, seen: Look) -> None:
        now = seen.result.at
        for said in self.turns.judge(seen, now):
            if isinstance(said, Fired):
                same = self.book.same(said.rule.name, "shop")
                decision = on_fired(said, same, self.book.latest("shop", "rule"), self.book.latest("shop"), now)
                self.decisions.append(self.take(decision))
            elif isinstance(said, Cleared):
                alert = self.book.same(said.rule.name, "shop")
                if alert:
                    self.take(on_cleared(said, alert, now))

    def take(self, decision: Decision) -> Decision:
        for event in decision.events:
            self.book.apply(event)
        return decision

    def of_rules(self) -> list[Alert]:
        return [alert for alert in self.book.all() if alert.source == "rule"]

    def events(self, what: What) -> list[AlertEvent]:
        return [event for alert in self.book.all() for event in alert.events if event.what is what]

    def restart(self) -> None:
        rules, self.turns = tuple(self.turns.rules.values()), Turns()
        self.turns.configure(rules, {self.check.name: self.check})
        self.turns.adopt(((a.type, a.resource) for a in self.book.open() if a.source == "rule"), at(self.second))


# ---- what a file may say


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"condition": "response_time > 2"}, "unknown variable 'response_time' (did you mean 'response_time_ms'?)"),
        ({"condition": "memory_usage > 80"}, "unknown variable 'memory_usage' (did you mean 'memory_percent'?)"),
        ({"condition": "mem_percent > 80"}, "unknown variable 'mem_percent' (did you mean 'memory_percent'?); known: "),
        ({"condition": "nonsense > 80"}, "unknown variable 'nonsense'; known: status, kind, response_time_ms"),
        ({"condition": "status == 'unhealthy'"}, "status: expected OK, WARN, FAIL or UNKNOWN, got 'unhealthy'"),
        ({"condition": "code > 400 &&"}, "expected an expression in CEL such as response_time_ms > expected_ms * 2"),
        ({"condition": "code > 400 &&"}, "column 14"),
        ({"condition": "1 > 0"}, "expected an expression that looks at status, kind"),
        ({}, "condition: expected one, got none; built-in rules are high_response_time"),
        ({"condition": "code > threshold"}, "threshold: expected a number, for the condition or the message names it"),
        ({"condition": "code > 1", "threshold": 3}, "threshold: expected a condition that names `threshold`"),
        ({"condition": "code > 1", "value": "code"}, "value: expected `threshold` beside it"),
        ({"condition": "code > threshold", "threshold": 1, "value": "coda"}, "unknown variable 'coda'"),
        ({"condition": "code > 1", "message": "{cod} it is"}, "unknown variable 'cod' (did you mean 'code'?)"),
        ({"condition": "code > 1", "name": "http"}, "name: http is the type of a check's own alerts"),
        ({"condition": "code > 1", "for": "soon"}, "expected a duration such as 30s"),
        ({"condition": "code > 1", "times": 0}, "times"),
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(_file({"name": "mine"} | keys))

    assert said in str(refused.value)
    assert "checks.yaml:2" in str(refused.value)


@pytest.mark.parametrize("name", OWN_ALERT)
def test_conditions_that_are_the_checks_own_alert_name_the_key_of_the_check(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"name: {name} is no rule of its own: .*`(severity|notify_on|severity: c)"):
        load(_file({"name": name, "enabled": False}))


def test_a_name_stands_once() -> None:
    with pytest.raises(ConfigError, match="rule 'a': name stands twice"):
        load(_file({"name": "a", "condition": "code > 1"}, {"name": "a", "condition": "code > 2"}))


def test_numbers_are_fractional_wherever_that_is_meant() -> None:
    seen = look(latency_ms=250.0, code=200, check=http_check(warn_ms=100, tags=["prod", "eu"]))
    for condition in (
        "response_time_ms > expected_ms * 2",
        "response_time_ms / 2 > 120",
        "code in [200, 204]",
        "tags[0] == 'prod' && tags[1] == 'eu' && size(tags) == 2",
        "name != '2 * 2' && response_time_ms > 2.5e2 - 1",
        "expected_ms * 1e1 > 999",
        "code == 200 ? true : false",
        "tags.exists(t, t.startsWith('pr'))",
    ):
        assert rule(condition).holds(seen), condition


def test_every_fact_that_a_probe_observes_may_be_named() -> None:
    """Found in their source: keys of what is called `observed`, texts and lists of a fixed name alone."""
    never_asked = {"top", "status"}
    found = {name for path in (ROOT / "monitor" / "probes").rglob("*.py") for name in _observed_in(path.read_text())}

    assert len(found) > 50
    nested = {"min", "avg", "max", "perfdata", "steps", "rtt_ms"}
    assert found - never_asked - nested <= {*OBSERVED, *VARIABLES}


def _observed_in(source: str) -> Iterator[str]:
    yield from re.findall(r'observed[^\n]*?\["([a-z_0-9]+)"\]\s*\|?=', source)
    for node in ast.walk(ast.parse(source)):
        for inner in ast.walk(node) if _is_of_observed(node) else ():
            if isinstance(inner, ast.Dict):
                yield from (str(key.value) for key in inner.keys if isinstance(key, ast.Constant))


def _is_of_observed(node: ast.AST) -> bool:
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        return "observed" in ast.unparse(node.target)
    return isinstance(node, ast.keyword) and node.arg == "observed"


# ---- built-in rules


def test_the_six_conditions_are_there() -> None:
    assert set(BUILT_IN) | set(OWN_ALERT) == {
        "service_down",
        "high_response_time",
        "consecutive_failures",
        "low_uptime",
        "critical_service_down",
        "service_recovery",
    }
    assert [one.name for one in rules_of(())] == ["high_response_time", "consecutive_failures", "low_uptime"]


def test_the_file_replaces_a_built_in_rule_key_by_key_and_turns_it_off() -> None:
    blocks = load(_file({"name": "low_uptime", "threshold": 99.5}, {"name": "high_response_time", "enabled": False}))
    low, failures = sorted(rules_of(blocks.config.rules), key=lambda one: one.name, reverse=True)

    assert (low.name, low.condition, low.threshold, low.severity) == (
        "low_uptime",
        "uptime_24h < threshold",
        99.5,
        Severity.P3,
    )
    assert failures.name == "consecutive_failures"


NUMBERS = st.one_of(st.none(), st.floats(0, 1e6))


@quick
@given(st.sampled_from(list(BUILT_IN)), st.dictionaries(st.sampled_from(VARIABLES), NUMBERS), st.floats(0.1, 1e4))
def test_built_in_rules_are_what_their_condition_says_in_cel(
    name: str, known: dict[str, float | None], threshold: float
) -> None:
    one = next(
        Rule.of(block.model_copy(update={"threshold": threshold})) for block in built_in_rules() if block.name == name
    )
    facts = {word: known.get(word) for word in one.names if word != "threshold"} | {"threshold": threshold}

    class Seen(Look):
        def fact(self, word: str) -> Any:
            return facts[word]

    here = look()
    seen = Seen(here.check, here.state, here.result)
    if None in facts.values():
        with pytest.raises(NotJudged):
            one.holds(seen)
    else:
        assert one.holds(seen) is compile_condition(one.condition).program.execute(facts)


def test_a_check_without_a_latency_limit_is_not_asked_about_it() -> None:
    slow, *_ = rules_of(())

    assert slow.applies_to(http_check(warn_ms=100)) and slow.applies_to(http_check(crit_ms=100))
    assert not slow.applies_to(http_check())
    assert rule("expected_ms != null && response_time_ms > expected_ms").applies_to(http_check())


# ---- facts


def test_facts_of_a_verdict() -> None:
    seen = look(
        FAIL,
        latency_ms=12.5,
        code=503,
        phases_ms={"dns": 1.5},
        observed={
            "rtt_ms": {"avg": 3},
            "perfdata": {"load 1": 4},
            "ok": True,
            "list": ["a"],
            "huge": 10**400,
            "x": None,
        },
        check=http_check(severity="P1", tags=["a"], group="G", warn_ms=7),
        uptime=98.5,
    )

    expected = {
        "status": "FAIL",
        "kind": "status",
        "response_time_ms": 12.5,
        "expected_ms": 7.0,
        "consecutive_failures": 1.0,
        "uptime_24h": 98.5,
        "critical": True,
        "severity": "P1",
        "group": "G",
        "type": "http",
        "tags": ["a"],
        "code": 503.0,
        "phases_dns": 1.5,
        "rtt_ms_avg": 3.0,
        "perfdata_load_1": 4.0,
        "ok": True,
        "list": ["a"],
        "huge": None,
        "x": None,
        "flapping": False,
    }
    assert {name: seen.fact(name) for name in expected} == expected


def test_what_a_host_check_measures_has_the_name_of_its_metric() -> None:
    check = HostCheck(name="m", type="host", metric="memory", warn_percent=90)
    seen = look(observed={"percent": 91.5}, check=check)

    assert rule("memory_percent > 80").holds(seen)
    with pytest.raises(NotJudged, match="cpu_percent is not known of this verdict"):
        rule("cpu_percent > 80").holds(seen)


def test_secrets_are_taken_out_of_what_a_probe_observed() -> None:
    seen = look(observed={"role": "hunter22"})
    seen.redact = lambda text: text.replace("hunter22", "***")

    assert seen.fact("role") == "***"


# ---- firing and ending


def test_a_rule_opens_one_alert_and_ends_it() -> None:
    slow = rule("response_time_ms > threshold", threshold=200, message="took {response_time_ms} ms")
    house = House(slow)
    house.see(OK, OK, OK, latency_ms=230.0)

    (alert,) = house.of_rules()
    assert (alert.type, alert.resource, alert.source, alert.count) == ("mine", "shop", "rule", 1)
    assert (alert.title, alert.message) == ("shop: mine", "took 230 ms")
    assert alert.metadata["response_time_ms"] == 230.0 and alert.metadata["rule"] == "mine"
    assert alert.severity is Severity.P3 and alert.recommendations

    house.see(OK, latency_ms=100.0)

    (alert,) = house.of_rules()
    assert alert.resolved_by == CHECKER
    assert alert.resolution == (
        "response_time_ms > threshold holds no longer: response_time_ms is 100, threshold is 200"
    )


def test_without_words_of_its_own_it_says_condition_and_facts() -> None:
    house = House(rule("response_time_ms > 200"))
    house.see(OK, latency_ms=230.0)

    assert house.of_rules()[0].message == "response_time_ms > 200: response_time_ms is 230"


def test_times_and_for_are_both_waited_for() -> None:
    house = House(rule(times=2, **{"for": 3}))
    house.see(OK, OK, OK, latency_ms=500.0)
    assert not house.of_rules()

    house.see(OK, latency_ms=500.0)
    assert len(house.of_rules()) == 1

    house.see(OK, latency_ms=5.0)
    assert house.of_rules()[0].is_open
    house.see(OK, latency_ms=5.0)
    assert not house.of_rules()[0].is_open


def test_what_comes_and_goes_is_one_alert_that_is_kept_until_it_stays_away() -> None:
    house = House(rule(keep_firing_for=3))
    for latency in (500.0, 5.0, 5.0, 500.0, 5.0, 5.0, 5.0):
        house.see(OK, latency_ms=latency)
        assert [alert.is_open for alert in house.of_rules()] == [True]
    house.see(OK, latency_ms=5.0)
    assert [alert.is_open for alert in house.of_rules()] == [False]


def test_a_verdict_that_does_not_fulfil_it_begins_the_count_anew() -> None:
    house = House(rule(times=2))
    for latency in (500.0, 5.0, 500.0, 5.0):
        house.see(OK, latency_ms=latency)

    assert not house.of_rules()


def test_what_could_not_be_judged_neither_fires_nor_ends() -> None:
    house = House(rule("response_time_ms > 100"), rule("status == 'UNKNOWN'", name="blind"))
    house.see(OK, latency_ms=500.0)
    house.see(UNKNOWN)
    house.see(OK)

    slow, blind = house.of_rules()
    assert slow.is_open
    assert (blind.type, blind.is_open) == ("blind", False)


def test_a_condition_of_the_wrong_type_is_said_and_never_fires() -> None:
    wrong = rule("address > 5 || size(tags) + 1 > 0")
    turns = Turns()
    turns.configure([wrong], {"shop": http_check()})
    said = list(turns.judge(look(observed={"address": "::1"}), at()))

    assert [type(one) for one in said] == [Unjudged]
    assert isinstance(said[0], Unjudged) and "address is ::1" in said[0].why


def test_no_truth_value_is_not_true() -> None:
    with pytest.raises(NotJudged, match=r"expected true or false, got 5\.0"):
        rule("response_time_ms").holds(look(latency_ms=5.0))


# ---- beside a check's own alert


def test_beside_the_checks_own_alert_it_is_noted_there_once() -> None:
    house = House(*rules_of(()), check=http_check(severity="P2"))
    house.see(*[FAIL] * 6)

    assert not house.of_rules()
    (noted,) = house.events(What.NOTED)
    assert noted.note == "rule consecutive_failures: 3 failures in a row"
    assert not house.events(What.RAISED)


def test_it_raises_the_checks_own_alert_when_it_is_worse_and_never_lowers_it() -> None:
    house = House(
        rule("consecutive_failures >= 2", name="worse", severity="critical"),
        rule("consecutive_failures >= 3", name="milder", severity="P4"),
        check=http_check(severity="P2"),
    )
    house.see(*[FAIL] * 5)

    (raised,) = house.events(What.RAISED)
    assert raised.note == "rule worse: it is P1 now"
    latest = house.book.latest("shop")
    assert latest and latest.severity is Severity.P1
    assert len(house.events(What.NOTED)) == 2


def test_while_the_check_is_down_without_an_alert_a_rule_says_nothing_either() -> None:
    house = House(*rules_of(()))
    house.see(FAIL)
    alert = house.book.latest("shop")
    assert alert
    house.take(resolve(alert, "ann", "known", at(house.second)))
    house.see(*[FAIL] * 5)

    assert not house.of_rules()
    assert house.decisions[-1].is_held


def test_rounds_that_are_not_believed_yet_are_no_failures_in_a_row() -> None:
    check, state = http_check(fail_after=5), unchecked(at(-1))
    for second in range(4):
        state, _ = advance(state, result(FAIL, second), Rules.of(check))
        assert Look(check, state, result(FAIL, second)).fact("consecutive_failures") == 0.0

    state, _ = advance(state, result(FAIL, 4), Rules.of(check))
    assert Look(check, state, result(FAIL, 4)).fact("consecutive_failures") == 5.0


def test_an_outage_that_was_told_of_is_not_told_again_as_low_uptime() -> None:
    house = House(*rules_of(()))
    house.uptime = 80.0
    house.see(FAIL, OK, OK)

    assert not house.of_rules()
    assert [event.data["rule"] for event in house.events(What.NOTED)] == ["low_uptime"]

    house.second += 90_000
    house.see(OK)
    assert [alert.type for alert in house.of_rules()] == ["low_uptime"]
    assert house.of_rules()[0].message == "up 80 % of the last 24 hours, expected at least 95 %"


# ---- people and restarts


def test_what_a_person_resolved_stays_resolved_until_it_begins_anew() -> None:
    house = House(rule())
    house.see(OK, latency_ms=500.0)
    house.take(resolve(house.of_rules()[0], "ann", "we know", at(house.second)))
    house.see(OK, OK, latency_ms=500.0)
    house.restart()
    house.see(OK, latency_ms=500.0)
    assert len(house.of_rules()) == 1

    house.see(OK, latency_ms=5.0)
    house.see(OK, latency_ms=500.0)
    assert len(house.of_rules()) == 2
    assert house.of_rules()[1].previous.endswith("ann: we know")


def test_after_a_restart_an_open_alert_goes_on_and_ends() -> None:
    house = House(rule())
    house.see(OK, latency_ms=500.0)
    house.restart()
    house.see(OK, latency_ms=500.0)
    assert len(house.of_rules()) == 1

    house.see(OK, latency_ms=5.0)
    assert not house.of_rules()[0].is_open


def test_a_rule_that_is_gone_ends_its_alert_with_the_reason() -> None:
    house = House(rule())
    house.see(OK, latency_ms=500.0)
    (alert,) = house.of_rules()

    gone, elsewhere = (on_rule_removed(alert, has_rule, at(9)) for has_rule in (False, True))

    assert gone.reason == "rule mine was removed from the configuration"
    assert elsewhere.reason == "rule mine does not apply to shop any more"
    assert gone.events[0].what is What.RESOLVED


def test_a_rule_of_the_file_that_fits_no_check_is_told() -> None:
    lost = rule(match={"group": "nowhere"})

    assert Turns().configure([*rules_of(()), lost], {"shop": http_check()}) == (lost,)


# ---- severity


@pytest.mark.parametrize(
    ("keys", "latency_ms", "severity"),
    [
        ({"condition": "response_time_ms > threshold", "threshold": 100}, 110.0, Severity.P3),
        ({"condition": "response_time_ms > threshold", "threshold": 100}, 130.0, Severity.P2),
        ({"condition": "response_time_ms > threshold", "threshold": 100}, 151.0, Severity.P1),
        ({"condition": "threshold < response_time_ms", "threshold": 100}, 151.0, Severity.P1),
        ({"condition": "response_time_ms < threshold", "threshold": 100}, 40.0, Severity.P1),
        ({"condition": "response_time_ms > 1 && code < 0 || true", "threshold": 9, "value": "code"}, 5.0, Severity.P1),
        ({"condition": "response_time_ms > threshold * 2", "threshold": 100}, 900.0, None),
        ({"condition": "consecutive_failures >= threshold", "threshold": 3}, 900.0, None),
        ({"condition": "response_time_ms > 5"}, 900.0, None),
        ({"condition": "response_time_ms > threshold", "threshold": 1, "severity": "low"}, 900.0, Severity.P4),
    ],
)
def test_severity_is_as_written_else_by_overage_else_the_checks(
    keys: dict[str, Any], latency_ms: float, severity: Severity | None
) -> None:
    assert rule(**keys).severity_of(look(latency_ms=latency_ms, code=200)) is severity


def test_an_open_alert_is_raised_when_its_figure_grows() -> None:
    house = House(rule("response_time_ms > threshold", threshold=100))
    house.see(OK, latency_ms=110.0)
    house.see(OK, OK, latency_ms=500.0)

    (alert,) = house.of_rules()
    assert (alert.severity, len(house.events(What.RAISED))) == (Severity.P1, 1)


def test_category_is_the_rules_else_the_checks() -> None:
    for keys, category in (({}, Category.AVAILABILITY), ({"category": "BUSINESS"}, Category.BUSINESS)):
        house = House(rule(**keys))
        house.see(OK, latency_ms=500.0)
        assert house.of_rules()[0].category is category


# ---- uptime


def test_uptime_is_up_over_watched_time_of_the_last_day() -> None:
    uptime = Uptime()
    uptime.count(at(0), 3 * 3600, is_up=True)
    assert uptime.percent(at(0)) == 100.0

    uptime.count(at(3600), 3600, is_up=False)
    assert uptime.percent(at(3600)) == pytest.approx(75.0)


def test_uptime_is_not_known_before_an_hour_was_watched() -> None:
    uptime = Uptime()
    uptime.add(result(OK, covers_s=3599.0))
    assert uptime.percent(at()) is None

    uptime.add(result(OK, 1, covers_s=1.0))
    assert uptime.percent(at(1)) == pytest.approx(100.0)


def test_unknown_time_and_maintenance_count_as_neither() -> None:
    uptime = Uptime()
    uptime.count(at(), 7200, is_up=True)
    uptime.add(result(UNKNOWN, covers_s=7200.0))
    uptime.add(result(FAIL, covers_s=7200.0, flags=(Flag.MAINTENANCE,)))

    assert uptime.percent(at()) == 100.0


def test_what_is_older_than_a_day_leaves_bit_by_bit() -> None:
    uptime = Uptime()
    uptime.count(at(0), 3600, is_up=False)
    uptime.count(at(23 * 3600), 23 * 3600, is_up=True)
    before = uptime.percent(at(23.4 * 3600))
    later = uptime.percent(at(24.4 * 3600))
    gone = uptime.percent(at(25.1 * 3600))

    assert before is not None and later is not None
    assert before < later < 100.0 == gone


def test_a_clock_that_was_far_ahead_is_forgotten_once_it_is_set_right() -> None:
    uptime = Uptime()
    uptime.count(at(365 * 24 * 3600), 7200, is_up=False)
    uptime.count(at(0), 3600, is_up=True)

    assert uptime.percent(at(0)) == 100.0


def test_a_clock_that_was_an_hour_ahead_loses_nothing_and_counts_nothing_twice() -> None:
    uptime = Uptime()
    uptime.count(at(0), 3 * 3600, is_up=True)
    uptime.count(at(3600), 0, is_up=True)
    uptime.count(at(60), 3600, is_up=False)

    assert uptime.percent(at(60)) == pytest.approx(75.0)


def test_what_was_counted_apart_is_added() -> None:
    hour = int(at(0).timestamp() // 3600)
    rows = [(hour - 1, "FAIL", 3600.0), (hour, "OK", 1800.0), (hour, "UNKNOWN", 99.0), (hour, "WARN", 1.0)]
    for is_later_first in (True, False):
        past, uptime = Uptime.of(rows), Uptime()
        uptime.count(at(2 * 3600), 1799, is_up=True)
        first, second = (uptime, past) if is_later_first else (past, uptime)
        first.include(second)
        assert first.percent(at(2 * 3600)) == pytest.approx(50.0)


def test_what_was_counted_apart_a_day_ago_is_left_out() -> None:
    hour = int(at(0).timestamp() // 3600)
    uptime = Uptime()
    uptime.count(at(26 * 3600), 7200, is_up=True)
    uptime.include(Uptime.of([(hour, "FAIL", 3600.0)]))

    assert uptime.percent(at(26 * 3600)) == 100.0


@quick
@given(st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 90_000), st.booleans()), max_size=30))
def test_uptime_is_that_of_each_second_of_the_day(spans: list[tuple[int, int, bool]]) -> None:
    begin, now = at().replace(minute=0, second=0, microsecond=0), 90_000
    uptime = Uptime()
    for until, seconds, is_up in sorted(spans):
        uptime.count(begin + timedelta(seconds=until), seconds, is_up)
    up, down = (
        sum(max(until - max(until - seconds, now - 86_400), 0) for until, seconds, one in spans if one is is_up)
        for is_up in (True, False)
    )
    percent = uptime.percent(begin + timedelta(seconds=now))

    assert (percent is None) is (up + down < 3600)
    assert percent is None or percent == pytest.approx(up / (up + down) * 100)


@quick
@given(st.lists(st.tuples(st.floats(0, 200_000), st.floats(0, 200_000), st.booleans()), max_size=30))
def test_uptime_is_a_percentage_whatever_comes_in_whatever_order(spans: list[tuple[float, float, bool]]) -> None:
    uptime = Uptime()
    for until_s, seconds, is_up in spans:
        uptime.count(at() + timedelta(seconds=until_s), seconds, is_up)
    percent = uptime.percent(at() + timedelta(seconds=200_000))

    assert percent is None or -1e-6 <= percent <= 100.0 + 1e-6
