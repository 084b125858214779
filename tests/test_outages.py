"""Those who are told are out of reach for a while: afterwards everything arrives, in order, and nobody else waited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from monitor.alerts import (
    LAST_RESORT,
    Alert,
    AlertBook,
    AlertEvent,
    Decision,
    Dispatch,
    Joining,
    Lanes,
    Route,
    Way,
    What,
    World,
    lanes,
    on_verdict,
    tell,
)
from monitor.channels import channel as channel_module
from monitor.checker import Checker
from monitor.config import ConfigFile
from monitor.history.alertlog import read_book
from monitor.model import Status
from monitor.state import CheckState, advance, unchecked
from tests.conftest import eventually
from tests.make import at, events_in, http_check, result
from tests.receivers import BUSY, HANGS, MailServer, Site

OUTAGE_S, EVERY_S, NAMES = 600, 10, ("shop", "db", "queue", "login", "search")
SILENT_S, DOWN = 15.0, ("hook", "mail")


@dataclass
class Hour:
    """An hour with its own clock: five checks that fail in turn, two channels that are out for ten minutes.

    `hook` takes connections and never answers, `mail` refuses them; `chat` is well all the time.
    """

    second: float = 0.0
    book: AlertBook = field(default_factory=AlertBook)
    arrived: list[tuple[float, str, str, list[tuple[str, str]]]] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    ends: list[tuple[float, Dispatch, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.book, jitter=lambda: 0.5)
        self.lanes.configure(
            {name: Way(fallback="console") for name in ("hook", "mail", "chat")} | {"console": Way()},
            {"all": Joining(10, 60)},
        )
        self.world = World((Route("all", ("hook", "mail", "chat")),), open_of=self.book.of)
        self.states: dict[str, CheckState] = {name: unchecked(at(-1)) for name in NAMES}

    @property
    def now(self) -> datetime:
        return at(self.second)

    def record(self, event: AlertEvent) -> Alert | None:
        if event.what is What.QUEUED:
            event = self.lanes.stamped(event, self.second)
        alert = self.book.apply(event)
        if event.what is What.QUEUED:
            self.lanes.take(event)
        return alert

    def take(self, decision: Decision) -> None:
        for event in decision.events:
            alert = self.record(event)
        if decision.events and alert:
            for told in tell(alert, self.world, self.now).events:
                self.record(told)

    def judge(self, name: str, status: Status) -> None:
        self.states[name], _ = advance(self.states[name], result(status, self.second, name))
        self.take(on_verdict(http_check(name), self.states[name], self.book.latest(name), self.now))

    def live(self, until_s: float, out: tuple[str, ...] = (), fails: bool = True) -> None:
        while self.second < until_s:
            self.second += 1
            if self.second % EVERY_S == 0:
                for number, name in enumerate(NAMES):
                    is_down = fails and (self.second / 60 + number) % 5 < 2
                    self.judge(name, Status.FAIL if is_down else Status.OK)
            self.messages_end()
            self.messages_go(out)

    def messages_go(self, out: tuple[str, ...]) -> None:
        for dispatch, events in list(self.lanes.next(self.now, self.second)):
            for event in events:
                self.record(event)
            self.attempts[dispatch.channel] = self.attempts.get(dispatch.channel, 0) + 1
            is_out = dispatch.channel in out
            takes_s = SILENT_S if is_out and dispatch.channel == "hook" else 1
            self.ends.append((self.second + takes_s, dispatch, not is_out))

    def messages_end(self) -> None:
        over = [end for end in self.ends if end[0] <= self.second]
        self.ends = [end for end in self.ends if end[0] > self.second]
        for _, dispatch, arrives in over:
            if arrives:
                told = [(member.alert, member.event) for member in dispatch.members]
                self.arrived.append((self.second, dispatch.channel, dispatch.key, told))
                events = self.lanes.sent(dispatch, "taken", "", self.now, self.second)
            else:
                events = self.lanes.failed(dispatch, "out of reach", False, None, self.now, self.second)
            for event in events:
                self.record(event)

    def told(self, channel: str) -> list[tuple[str, str]]:
        return [one for _, name, _, told in self.arrived if name == channel for one in told]


@pytest.fixture(scope="module")
def hour() -> Hour:
    one = Hour()
    one.live(60, fails=False)
    one.live(60 + OUTAGE_S, out=DOWN)
    one.live(3600, fails=False)
    return one


class TestTenMinutes:
    def test_everything_arrives_afterwards_exactly_once(self, hour: Hour) -> None:
        expected = sorted((a.id, event) for a in hour.book.all() for event in ("first_fail", "recovered"))
        assert len(expected) >= 20
        for channel in (*DOWN, "chat"):
            assert sorted(hour.told(channel)) == expected
        assert not hour.book.outbox()

    def test_it_arrives_in_the_order_in_which_it_happened(self, hour: Hour) -> None:
        opened = {alert.id: alert.opened_at for alert in hour.book.all()}
        for channel in (*DOWN, "chat"):
            told = hour.told(channel)
            openings = [opened[one] for one, event in told if event == "first_fail"]
            assert openings == sorted(openings)
            assert all(told.index((one, "first_fail")) < told.index((one, "recovered")) for one in opened)

    def test_it_arrives_soon_after_the_end_of_the_outage(self, hour: Hour) -> None:
        for channel in DOWN:
            seconds = [second for second, name, _, _ in hour.arrived if name == channel]
            assert OUTAGE_S < seconds[0] <= 60 + OUTAGE_S + lanes.LONGEST_WAIT_S * 1.25 + SILENT_S
            # In few messages: what has waited is joined.
            assert len(seconds) <= 6

    def test_who_is_out_of_reach_is_asked_now_and_then_only(self, hour: Hour) -> None:
        for channel in DOWN:
            assert hour.attempts[channel] <= 20

    def test_who_can_be_reached_did_not_wait(self, hour: Hour) -> None:
        queued = {(a.id, n.event): n for a in hour.book.all() for n in a.notifications.values() if n.channel == "chat"}
        for second, channel, _, told in hour.arrived:
            if channel == "chat":
                assert all((at(second) - queued[one].queued_at).total_seconds() <= 62 for one in told)

    def test_the_console_stands_in_for_all_that_waits_not_only_for_the_first(self, hour: Hour) -> None:
        # What came after the last attempt of the outage arrives where it should.
        before = at(60 + OUTAGE_S - lanes.LONGEST_WAIT_S * 1.25 - SILENT_S)
        opened = {alert.id for alert in hour.book.all() if alert.opened_at < before}
        assert len(opened) >= 5
        for event in ("first_fail", "recovered"):
            assert opened <= {one for one, told in hour.told("console") if told == event}


CONFIG = """
global: {{every: 200ms, retries: 0, flap_detection: false}}
channels:
  - {{name: hook, type: webhook, url: "{hook}/hook"}}
  - {{name: mail, type: email, to: [ops@example.org]}}
  - {{name: chat, type: webhook, url: "{chat}/chat"}}
routes:
  - {{name: all, channels: [hook, mail, chat], group_wait: 0s, group_interval: 0s}}
checks:
  - {{name: shop, type: http, url: "{chat}/shop"}}
  - {{name: bystander, type: http, url: "{chat}/bystander"}}
"""


class Wall:
    """A checker in this process, and the real receivers of its messages: two that are out now and then, and `chat`."""

    def __init__(self, folder: Path, hook: Site, mails: MailServer, chat: Site) -> None:
        self.hook, self.mails, self.chat = hook, mails, chat
        self.alerts = folder / "data" / "alerts.jsonl"
        (folder / "checks.yaml").write_text(CONFIG.format(hook=hook.url, chat=chat.url))
        self.checker = Checker(ConfigFile(folder / "checks.yaml"), folder / "data")

    @property
    def book(self) -> AlertBook:
        return read_book(self.alerts)

    def fail_and_recover(self) -> None:
        """Have the shop fail and be well again; `chat` hears of both at once."""
        told = len(self.chat.taken)
        self.chat.is_down = lambda path: path == "/shop"
        eventually(lambda: len(self.chat.taken) > told, what="chat knows that it failed")
        self.chat.is_down = lambda _path: False
        eventually(lambda: len(self.chat.taken) > told + 1, what="chat knows that it is well")

    def nothing_waits(self) -> bool:
        return not any(n.channel != LAST_RESORT for n in self.book.outbox())

    def attempts(self, channel: str) -> int:
        return sum(e.what is What.FAILED and e.data["channel"] == channel for e in events_in(self.alerts))


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    monkeypatch.setattr(lanes, "FIRST_WAIT_S", 0.2)
    monkeypatch.setattr(lanes, "LONGEST_WAIT_S", 0.5)
    monkeypatch.setattr(channel_module, "STEP_S", 0.5)
    with Site() as hook, MailServer() as mails, Site() as chat:
        monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("SMTP_PORT", str(mails.port))
        monkeypatch.setenv("MAIL_FROM", "wall@example.org")
        one = Wall(tmp_path, hook, mails, chat)
        one.checker.start()
        assert one.checker.ready.wait(20)
        yield one
        one.checker.stop()


def goes_out(wall: Wall, how: str) -> None:
    if how == "refuses":
        wall.hook.refuse()
        wall.mails.refuse()
    else:
        wall.hook.behaves = wall.mails.behaves = how


def comes_back(wall: Wall, how: str) -> None:
    wall.hook.behaves = wall.mails.behaves = "takes"
    if how == "refuses":
        wall.hook.listen()
        wall.mails.listen()


@pytest.mark.parametrize("how", ["refuses", BUSY, HANGS])
def test_receivers_that_are_out_get_everything_afterwards_in_order(wall: Wall, how: str) -> None:
    goes_out(wall, how)
    for _ in range(3):
        wall.fail_and_recover()
    eventually(lambda: min(wall.attempts("hook"), wall.attempts("mail")) >= 4, what="they were tried again and again")
    assert not wall.hook.taken and not wall.mails.mails
    looked = wall.chat.gets
    comes_back(wall, how)
    eventually(lambda: len(wall.book.all()) == 3 and wall.nothing_waits(), what="everything has arrived")
    assert wall.chat.gets > looked
    openings = [alert.id for alert in wall.book.all()]
    for channel in ("hook", "mail"):
        notifications = [n for a in wall.book.all() for n in a.notifications.values() if n.channel == channel]
        assert {n.ended for n in notifications} == {What.SENT} and len(notifications) == 6
        sent = [e for e in events_in(wall.alerts) if e.what is What.SENT and e.data["channel"] == channel]
        assert [e.alert for e in sent if e.data["event"] == "first_fail"] == openings
    keys = [post.key for post in wall.hook.taken]
    assert len(keys) == len(set(keys))
    assert len({mail.key for mail in wall.mails.mails}) == len(wall.mails.mails)
    # Those who were well waited for nobody, and heard of all by itself, in order.
    assert [one for post in wall.chat.taken for one in post.told] == [
        (alert, event) for alert in openings for event in ("first_fail", "recovered")
    ]
