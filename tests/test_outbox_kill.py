"""kill -9 at each step of the outbox, 200 points: whoever was to be told is told, and of the end, too.

Whole checkers ask a service that goes up and down and tell a provider that keeps what it gets. Every life of a checker
is ended by SIGKILL (see `lives`); the last one may settle. Then the provider's book is compared with the checker's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import pytest

from monitor.alerts import AlertBook, AlertEvent, Way, What
from monitor.channels import Letterhead, Message, Receipt
from monitor.channels.channel import Configured
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.loop import Loop
from monitor.history.alertlog import read_book
from monitor.history.jsonl import to_line
from monitor.units import utc_now
from tests.conftest import ROOT, environment, eventually
from tests.lives import STEPS
from tests.receivers import Site

# Most of it is waiting for lives to end; a busy machine takes its time for 200 starts.
pytestmark = pytest.mark.timeout(400)

POINTS, FOLDERS, CHECKS = 200, 4, 4
CHANNELS = ("joined", "each")
CONFIG = """
global: {{every: 100ms, retries: 0, timeout: 5s, flap_detection: false}}
channels:
  - {{name: joined, type: webhook, url: "{url}/joined"}}
  - {{name: each, type: webhook, url: "{url}/each"}}
routes:
  - {{name: together, channels: [joined], group_wait: 200ms, group_interval: 300ms, continue: true}}
  - {{name: one-by-one, channels: [each], group_by: [name], group_wait: 0s, group_interval: 0s}}
checks:
"""


@dataclass
class Story:
    """What one folder has seen: where its lives ended, what its provider got, what is on its disk."""

    died: list[str]
    site: Site
    book: AlertBook


def told_of_all(folder: Path) -> bool:
    book = read_book(folder / "data" / "alerts.jsonl")
    return len(book.open()) == CHECKS and not book.outbox()


def told_of_the_end(folder: Path) -> bool:
    book = read_book(folder / "data" / "alerts.jsonl")
    return not book.open() and not book.outbox()


def live_and_die(folder: Path, seed: str) -> Story:
    folder.mkdir()
    with Site() as site:
        # Each check by itself is down for 0.3 s and well for 0.3 s; the provider is busy now and then.
        site.is_down = lambda path: int(time.monotonic() / 0.3 + int(path[2:]) * 0.7) % 2 == 0
        site.answers = cycle([200, 200, 200, 503, 200, 200, 200])
        site.delay_s = 0.01
        checks = "".join(f"  - {{name: c{n}, type: http, url: '{site.url}/c{n}'}}\n" for n in range(CHECKS))
        (folder / "checks.yaml").write_text(CONFIG.format(url=site.url) + checks)
        command = [sys.executable, "-m", "tests.lives", str(folder), seed, str(POINTS // FOLDERS)]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as lives,
        ):
            assert lives.stdin and lives.stdout
            died = []
            while (line := lives.stdout.readline().strip()) not in ("settling", ""):
                died.append(line)
            try:
                site.is_down = lambda _path: True
                eventually(lambda: told_of_all(folder), 90.0, "everybody knows that all is down")
                site.is_down = lambda _path: False
                eventually(lambda: told_of_the_end(folder), 90.0, "everybody knows that all is over")
            finally:
                lives.stdin.close()
        return Story(died, site, read_book(folder / "data" / "alerts.jsonl"))


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> list[Story]:
    place = tmp_path_factory.mktemp("killed")
    with ThreadPoolExecutor(FOLDERS) as at_once:
        return list(at_once.map(lambda n: live_and_die(place / str(n), f"seed {n}"), range(FOLDERS)))


def test_every_step_was_a_point_of_death(stories: list[Story]) -> None:
    died = Counter(step for story in stories for step in story.died)
    assert died.total() == POINTS
    assert all(died[step] >= 5 for step in STEPS), died


def test_every_alert_that_was_stored_was_told_on_both_channels_and_so_was_its_end(stories: list[Story]) -> None:
    for story in stories:
        assert len(story.book.all()) > CHECKS
        taken = {(post.path[1:], post.facts["key"]): dict(post.told) for post in story.site.taken}
        for alert in story.book.all():
            told = {(n.channel, n.event): n for n in alert.notifications.values() if n.channel in CHANNELS}
            assert set(told) == {(channel, event) for channel in CHANNELS for event in ("first_fail", "recovered")}
            for (channel, event), notification in told.items():
                said = taken[channel, notification.batch][alert.id]
                # What had begun and was over when it was told is told as over, in one message.
                is_in_one = notification.batch == told[channel, "recovered"].batch
                assert said == ("recovered" if is_in_one else event)


def test_nothing_was_told_that_was_not_stored_before(stories: list[Story]) -> None:
    for story in stories:
        assert {one for post in story.site.posts for one, _ in post.told} <= {a.id for a in story.book.all()}


def test_what_was_told_twice_had_the_same_key_and_said_the_same(stories: list[Story]) -> None:
    twice = 0
    for story in stories:
        said: dict[tuple[str, str], list[tuple[str, str]]] = {}
        keys: dict[tuple[str, str, str], str] = {}
        for post in story.site.posts:
            assert post.key == quote(post.facts["key"], safe=":-._~")
            twice += (post.path, post.key) in said
            assert said.setdefault((post.path, post.key), sorted(post.told)) == sorted(post.told)
            for identifier, event in post.told:
                assert keys.setdefault((post.path, identifier, event), post.key) == post.key
    assert twice, "no kill came between the sending and its record: the test is blind"


def test_the_end_came_after_the_opening(stories: list[Story]) -> None:
    for story in stories:
        for channel in CHANNELS:
            over: set[str] = set()
            for post in story.site.posts:
                if post.path == f"/{channel}":
                    assert not over & {one for one, event in post.told if event == "first_fail"}
                    over |= {one for one, event in post.told if event == "recovered" and post.taken}


class Provider(Configured):
    """A channel that keeps what it is sent."""

    name, type = "hook", "webhook"

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, message: Message) -> Receipt:
        self.sent.append(message.key)
        return Receipt(self.name, ok=True, detail="taken", reference="r-1")


def test_a_message_whose_receipt_was_stored_in_part_is_not_sent_again_in_part(tmp_path: Path) -> None:
    opening = {"type": "http", "source": "check", "title": "t", "message": "m", "severity": "P2", "category": "SYSTEM"}
    lines = []
    for one in ("a-1", "a-2"):
        told = {"event": "first_fail", "channel": "hook", "key": f"{one}:first_fail:hook", "batch": ""}
        lines += [AlertEvent(utc_now(), What.OPENED, one, data=opening | {"resource": one, "opening": "first_fail"})]
        lines += [AlertEvent(utc_now(), What.QUEUED, one, data=told)]
        lines += [AlertEvent(utc_now(), What.BATCHED, one, data=told | {"batch": "joined-1"})]
    # The crash came when the receipt of the first of two was on disk.
    lines += [AlertEvent(utc_now(), What.SENT, "a-1", note="taken", data=told | {"key": "a-1:first_fail:hook"})]
    (tmp_path / "alerts.jsonl").write_bytes(b"".join(to_line(line.to_json()) for line in lines))
    channel, pool = Provider(), ThreadPoolExecutor(1)
    desk = AlertDesk(tmp_path / "alerts.jsonl", Loop(), pool)
    assert [n.key for n in desk.book.outbox()] == ["a-2:first_fail:hook"]
    desk.outbox.configure({"hook": channel}, {"hook": Way()}, {}, Letterhead())
    desk.commit()
    pool.shutdown()
    assert channel.sent == [] and not desk.book.outbox()
    desk.close()
    assert not read_book(tmp_path / "alerts.jsonl").outbox()
