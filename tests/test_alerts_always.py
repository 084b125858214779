"""What holds for alerts after any sequence of verdicts, people's doings and restarts."""

from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from monitor.alerts import (
    AlertBook,
    AlertEvent,
    AlertStatus,
    Decision,
    What,
    World,
    acknowledge,
    on_verdict,
    resolve,
    tell,
)
from monitor.flapping import FlapMarks
from monitor.model import Flag, Kind, Status
from monitor.state import CheckState, Rules, advance, unchecked
from tests.make import at, http_check, quick, result

CHANNELS = ("email", "slack")
CHECKS = {
    "loud": http_check("loud"),
    "no-recovery": http_check("no-recovery", notify_on=["first_fail"]),
    "no-opening": http_check("no-opening", notify_on=["recovered"]),
}


def through_json(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value.to_json()))


class Lives(RuleBasedStateMachine):
    """Checks that live at random. An outage is a run of FAIL that only OK or WARN ends (UNKNOWN judges nothing)."""

    def __init__(self) -> None:
        super().__init__()
        self.states = {name: unchecked(at(-1)) for name in CHECKS}
        self.book = AlertBook()
        self.events: list[AlertEvent] = []
        self.step = 0
        self.outages = dict.fromkeys(CHECKS, 0)
        self.failing = dict.fromkeys(CHECKS, False)
        self.by_hand = dict.fromkeys(CHECKS, False)

    def now(self) -> float:
        # Not whole milliseconds: files keep less than memory does.
        self.step += 1
        return self.step * 1.0004567

    def take(self, decision: Decision) -> None:
        assert decision.reason
        for event in decision.events:
            self.record(event)
        told_at = decision.events[-1].at if decision.events else at(self.step * 1.0004567)
        for alert in self.book.all():
            for event in tell(alert, World(open_of=self.book.of, fallback=CHANNELS), told_at).events:
                self.record(event)

    def record(self, event: AlertEvent) -> None:
        self.events.append(event)
        self.book.apply(event)

    @rule(name=st.sampled_from(list(CHECKS)), status=st.sampled_from(Status), late=st.booleans())
    def verdict(self, name: str, status: Status, late: bool) -> None:
        if status is Status.UNKNOWN and self.by_hand[name]:
            return  # a failure after an outage resolved by hand and a blind spot is a new one: not told apart here
        failed = status is Status.FAIL
        self.outages[name] += failed and not self.failing[name]
        self.failing[name] = failed or (self.failing[name] and status is Status.UNKNOWN)
        self.by_hand[name] = self.by_hand[name] and self.failing[name]
        verdict = result(status, self.now(), name, Kind.DEADLINE if failed and late else None)
        self.states[name], _ = advance(self.states[name], verdict)
        self.take(on_verdict(CHECKS[name], self.states[name], self.book.latest(name), verdict.at))

    @rule(name=st.sampled_from(list(CHECKS)))
    def a_person_resolves(self, name: str) -> None:
        alert = self.book.latest(name)
        # While the last verdict could not be judged the next failure counts as a new outage, see above.
        if alert and alert.is_open and self.states[name].status is Status.FAIL:
            self.take(resolve(alert, "ann", "", at(self.now())))
            self.by_hand[name] = True

    @rule(name=st.sampled_from(list(CHECKS)))
    def a_person_acknowledges(self, name: str) -> None:
        alert = self.book.latest(name)
        if alert:
            self.take(acknowledge(alert, "bob", "", at(self.now())))

    @rule()
    def a_restart(self) -> None:
        self.states = {name: CheckState.from_json(through_json(state)) for name, state in self.states.items()}
        self.events = [AlertEvent.from_json(through_json(event)) for event in self.events]
        before, self.book = self.book, AlertBook(self.events)
        assert [a.id for a in self.book.all()] == [a.id for a in before.all()]
        assert [n.key for n in self.book.outbox()] == [n.key for n in before.outbox()]

    @invariant()
    def at_most_one_alert_is_open_for_a_check(self) -> None:
        for name in CHECKS:
            own = [alert for alert in self.book.open() if alert.resource == name]
            assert len(own) <= 1
            assert bool(own) == (self.failing[name] and not self.by_hand[name])

    @invariant()
    def every_outage_opened_exactly_one(self) -> None:
        for name in CHECKS:
            assert sum(alert.resource == name for alert in self.book.all()) == self.outages[name]

    @invariant()
    def whoever_was_told_of_the_opening_is_told_of_the_end_once(self) -> None:
        for alert in self.book.all():
            queued = [
                (str(e.data["event"]) == "recovered", str(e.data["channel"]))
                for e in alert.events
                if e.what is What.QUEUED
            ]
            openings = [channel for is_end, channel in queued if not is_end]
            ends = [channel for is_end, channel in queued if is_end]
            assert openings in ([], list(CHANNELS))
            silent = alert.resource == "no-recovery" and alert.resolved_by == "checker"
            assert ends == ([] if alert.status is not AlertStatus.RESOLVED or silent else openings)


class Held(RuleBasedStateMachine):
    """One check whose openings are held back now and then, that flaps, and counts its rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.check = http_check("held")
        self.state = unchecked(at(-1))
        self.book = AlertBook()
        self.records = 0
        self.hold = ""
        self.step = 0
        self.rules = Rules(fail_after=2, recover_after=2, flap=FlapMarks())

    @rule(hold=st.sampled_from(["", "parent db is down", "parent switch is down"]))
    def a_parent_changes(self, hold: str) -> None:
        self.hold = hold

    @rule(status=st.sampled_from([Status.OK, Status.FAIL, Status.FAIL, Status.UNKNOWN]), again=st.integers(1, 25))
    def verdicts(self, status: Status, again: int) -> None:
        for _ in range(again):
            self.one(status)

    def one(self, status: Status) -> None:
        self.step += 1
        verdict = result(status, self.step, "held")
        was_open = bool(self.book.open())
        before = self.state
        self.state, _ = advance(self.state, verdict, self.rules)
        latest, held = self.book.latest("held"), self.book.held("held")
        decision = on_verdict(self.check, self.state, latest, verdict.at, lambda *_: self.hold, held)
        for event in decision.events:
            self.book.apply(AlertEvent.from_json(through_json(event)))
        for alert in self.book.all():
            for event in tell(alert, World(fallback=CHANNELS), verdict.at).events:
                self.book.apply(AlertEvent.from_json(through_json(event)))
        is_open, flaps = bool(self.book.open()), Flag.FLAPPING in self.state.flags
        if is_open and not was_open:
            assert self.state.status is Status.FAIL and not self.hold
        if self.state.status is Status.FAIL and not self.hold:
            assert is_open
        if self.state.status in (Status.OK, Status.WARN):
            # While it flaps it is neither over nor opened anew.
            assert is_open == (was_open and flaps)
        if self.state.status is Status.FAIL and not is_open:
            assert decision.is_held
            assert decision.reason == self.hold
        recorded = sum(event.what is What.HELD for event in decision.events)
        assert recorded <= 1
        if recorded and held and held.at >= self.state.since:
            assert held.note != decision.reason
        assert before.since <= self.state.since or self.state.trouble.turn is None

    @invariant()
    def whoever_was_told_of_the_opening_is_told_of_the_end(self) -> None:
        for alert in self.book.all():
            ended = [n.channel for n in alert.notifications.values() if n.event == "recovered"]
            assert ended == ([] if alert.is_open else list(alert.told))


Held.TestCase.settings = settings(quick, max_examples=40, stateful_step_count=30)
TestHeldLife = Held.TestCase
Lives.TestCase.settings = settings(quick, max_examples=40, stateful_step_count=30)
TestAnyLife = Lives.TestCase
