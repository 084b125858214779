"""A storm: 1,000 checks fail within seconds; two channels get three messages each, not 1,000. Figures: benchmarks/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from monitor.alerts import AlertBook, AlertEvent, What
from tests.conftest import eventually
from tests.headless import Headless, headless
from tests.receivers import MailServer, Site

pytestmark = pytest.mark.timeout(400)

CHECKS, EVERY_S = 1000, 5.0
CHANNELS = ("hook", "mail")
CONFIG = """
global: {{every: {every_s}s, retries: 0}}
channels:
  - {{name: hook, type: webhook, url: "{url}/hook"}}
  - {{name: mail, type: email, to: [ops@example.org]}}
routes:
  - {{name: all, channels: [hook, mail], group_interval: 4s}}
checks:
"""


@dataclass
class Storm:
    """What was there before it, while all was down, and after it."""

    site: Site
    mails: MailServer
    openings: int
    mailed_openings: int
    lateness_before_s: float
    lateness_s: float
    events: list[AlertEvent]
    book: AlertBook


def all_are_told(house: Headless, are_open: int) -> bool:
    book = house.book()
    return len(book.all()) == CHECKS and len(book.open()) == are_open and not book.outbox()


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    folder = tmp_path_factory.mktemp("storm")
    with Site() as site, MailServer(data_size_limit=None) as mails:
        rows = "".join(f"  - {{name: c{n:03}, type: http, url: '{site.url}/{n}'}}\n" for n in range(CHECKS))
        smtp = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mails.port), "MAIL_FROM": "wall@example.org"}
        with headless(
            folder, CONFIG.format(url=site.url, every_s=EVERY_S) + rows, **smtp, MAIL_TO="ops@example.org"
        ) as house:
            eventually(lambda: house.statuses()["OK"] == CHECKS, 90.0, "all are well")
            before_s = house.lateness_s()
            site.is_down = lambda _path: True
            eventually(lambda: all_are_told(house, CHECKS), 90.0, "all are told")
            openings, mailed, lateness_s = len(site.posts), len(mails.mails), house.lateness_s()
            site.is_down = lambda _path: False
            eventually(lambda: all_are_told(house, 0), 90.0, "all are told that it is over")
        events = house.events()
        yield Storm(site, mails, openings, mailed, before_s, lateness_s, events, AlertBook(events))


def test_each_channel_gets_three_messages_at_most(storm: Storm) -> None:
    assert 2 <= storm.openings <= 3 and 2 <= storm.mailed_openings <= 3
    assert len(storm.site.posts) - storm.openings <= 5 and len(storm.mails.mails) - storm.mailed_openings <= 5


def test_the_first_message_goes_at_once_and_not_when_all_is_known(storm: Storm) -> None:
    opened = sorted(event.at.timestamp() for event in storm.events if event.what is What.OPENED)
    assert len(storm.site.posts[0].told) == 1
    assert storm.site.posts[0].at < opened[CHECKS // 2] and storm.mails.mails[0].at < opened[CHECKS // 2]


def test_each_alert_is_told_once_and_ended_once_on_each_channel(storm: Storm) -> None:
    told = Counter(one for post in storm.site.posts for one in post.told)
    assert set(told) == {(a.id, event) for a in storm.book.all() for event in ("first_fail", "recovered")}
    assert set(told.values()) == {1}
    sent = Counter((e.alert, e.data["channel"], e.data["event"]) for e in storm.events if e.what is What.SENT)
    assert len(sent) == CHECKS * len(CHANNELS) * 2 and set(sent.values()) == {1}


def test_the_mails_are_what_the_record_says(storm: Storm) -> None:
    said = {n.reference for alert in storm.book.all() for n in alert.notifications.values() if n.channel == "mail"}
    assert said == {mail.key for mail in storm.mails.mails}


def test_the_schedule_is_unharmed(storm: Storm) -> None:
    # Nobody has missed a turn, however busy the machine is with other work.
    assert storm.lateness_s < storm.lateness_before_s + EVERY_S
    assert storm.site.gets >= 3 * CHECKS
