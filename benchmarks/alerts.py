"""How soon somebody is told: from a failing answer to the webhook, and when 1,000 checks fail within 10 s.

The service that fails and those who are told are in this process, the checker is in one of its own.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.servers import wait_until
from monitor.alerts import What
from tests.headless import Headless, headless
from tests.receivers import MailServer, Site

TRIALS, STORM = 100, 1000
# Between the end of a trial and the next one: all that follows from being told is over then.
PAUSE_S = 0.1
# Each check is told by itself, at once.
TELLING = """
global: {{every: 30s, retries: 0}}
channels: [{{name: hook, type: webhook, url: "{url}/hook"}}]
routes: [{{name: all, channels: [hook], group_by: [name]}}]
checks:
"""
# As it is without a word about joining.
STORMY = """
global: {{every: 10s, retries: 0}}
channels:
  - {{name: hook, type: webhook, url: "{url}/hook"}}
  - {{name: mail, type: email, to: [ops@example.org]}}
routes: [{{name: all, channels: [hook, mail]}}]
checks:
"""


@dataclass
class Trials:
    """Has one check after the other fail, each when the one before it was told."""

    site: Site
    failed_at: dict[str, float] = field(default_factory=dict)

    def is_down(self, path: str) -> bool:
        now, posts = time.time(), self.site.posts
        is_quiet = len(posts) == len(self.failed_at) and (not posts or now > posts[-1].at + PAUSE_S)
        if is_quiet and len(self.failed_at) < TRIALS:
            self.failed_at.setdefault(path, now)
        return path in self.failed_at

    def took_ms(self) -> list[float]:
        told_at = {f"/{post.facts['alert']['resource']}": post.at for post in self.site.posts}
        return sorted((told_at[path] - at) * 1000 for path, at in self.failed_at.items())


def telling_ms(folder: Path, others: int, url: str) -> list[float]:
    """Return the times from a failing answer to the webhook, sorted, while so many other checks run every 30 s."""
    folder.mkdir()
    with Site() as site:
        config = TELLING.format(url=site.url) + _rows("trial", TRIALS, f"{site.url}/trial-", "5s")
        with headless(folder, config + _rows("other", others, url, "30s")) as house:
            wait_until(lambda: house.statuses()["OK"] == TRIALS + others, 90.0, "the first round")
            trials = Trials(site)
            site.is_down = trials.is_down
            wait_until(lambda: len(site.posts) == TRIALS, 120.0, f"{TRIALS} trials")
        return trials.took_ms()


@dataclass(frozen=True)
class Storm:
    """Times in seconds after the first confirmed failure; messages until all 1,000 were told."""

    first_s: dict[str, float]
    all_s: dict[str, float]
    messages: dict[str, int]
    late_before_s: float
    late_s: float


def storm(folder: Path) -> Storm:
    """Have 1,000 checks that run every 10 s fail, all at once, and wait until everybody knows of all."""
    folder.mkdir()
    with ExitStack() as stack:
        site, mails = stack.enter_context(Site()), stack.enter_context(MailServer())
        smtp = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mails.port), "MAIL_FROM": "wall@example.org"}
        config = STORMY.format(url=site.url) + _rows("check", STORM, f"{site.url}/", "10s")
        house = stack.enter_context(headless(folder, config, **smtp, MAIL_TO="ops@example.org"))
        wait_until(lambda: house.statuses()["OK"] == STORM, 60.0, "the first round")
        time.sleep(10)
        late_before_s = house.lateness_s()
        site.is_down = lambda _path: True
        wait_until(lambda: _all_are_told(house), 180.0, "all are told")
        opened_at = min(event.at.timestamp() for event in house.events() if event.what is What.OPENED)
        arrived = {"webhook": [post.at for post in site.posts], "mail": [mail.at for mail in mails.mails]}
        return Storm(
            first_s={name: times[0] - opened_at for name, times in arrived.items()},
            all_s={name: times[-1] - opened_at for name, times in arrived.items()},
            messages={name: len(times) for name, times in arrived.items()},
            late_before_s=late_before_s,
            late_s=house.lateness_s(),
        )


def _all_are_told(house: Headless) -> bool:
    book = house.book()
    return len(book.open()) == STORM and not book.outbox()


def _rows(name: str, count: int, url: str, every: str) -> str:
    return "".join(
        f"  - {{name: {name}-{number}, type: http, every: {every}, url: '{url}{number}'}}\n" for number in range(count)
    )
