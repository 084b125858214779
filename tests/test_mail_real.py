"""From a failing answer to a mail in somebody's inbox: encrypted, logged in, in one thread with its end."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from monitor.alerts import What
from tests.conftest import eventually
from tests.headless import Headless, headless
from tests.receivers import MailServer, Site

PASSWORD = "correct horse"
CONFIG = """
global: {{every: 200ms, retries: 0, wall_url: "https://wall.example.org"}}
channels:
  - {{name: ops, type: email, to: [ann@example.org, bob@example.org]}}
routes:
  - {{name: all, channels: [ops], group_wait: 0s, group_interval: 0s}}
checks:
  - name: shop
    type: http
    url: "{url}/shop"
    severity: P1
    runbook: "https://wiki.example.org/shop"
"""


@pytest.fixture(scope="module")
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as one:
        yield one


@pytest.fixture
def mails(tls: ssl.SSLContext) -> Iterator[MailServer]:
    with MailServer(PASSWORD, tls_context=tls, require_starttls=True, auth_require_tls=True) as one:
        yield one


def smtp(mails: MailServer, ca_folder: Path, password: str = PASSWORD) -> dict[str, str]:
    return {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mails.port),
        "SMTP_USER": "wall@example.org",
        "SMTP_PASS": password,
        "SMTP_CA_FILE": str(ca_folder / "ca.pem"),
        "MAIL_FROM": "Greenwall <wall@example.org>",
        "MAIL_TO": "ann@example.org",
    }


def fails(house: Headless, site: Site) -> None:
    eventually(lambda: house.statuses()["OK"] == 1, what="well")
    site.is_down = lambda path: path == "/shop"


def test_the_opening_and_its_end_arrive_encrypted_in_one_thread(
    tmp_path: Path, site: Site, mails: MailServer, ca_folder: Path
) -> None:
    with headless(tmp_path, CONFIG.format(url=site.url), **smtp(mails, ca_folder)) as house:
        fails(house, site)
        eventually(lambda: len(mails.mails) == 1, what="a mail")
        site.is_down = lambda _path: False
        eventually(lambda: len(mails.mails) == 2 and not house.book().outbox(), what="a mail about the end")
        (alert,) = house.book().all()
    opening, end = mails.mails
    for mail in (opening, end):
        assert mail.encrypted and mail.user == b"wall@example.org"
        assert mail.to == ("ann@example.org", "bob@example.org")
        assert mail.message["From"] == "Greenwall <wall@example.org>"
    assert "P1" in opening.message["Subject"] and "shop" in opening.message["Subject"]
    assert "status is 503" in opening.text and "https://wiki.example.org/shop" in opening.text
    assert end.message["In-Reply-To"] == opening.key and end.key != opening.key
    assert [n.reference for n in alert.notifications.values()] == [opening.key, end.key]
    assert {n.ended for n in alert.notifications.values()} == {What.SENT}


def test_a_wrong_password_is_said_and_told_on_the_console_and_appears_nowhere(
    tmp_path: Path, site: Site, mails: MailServer, ca_folder: Path
) -> None:
    with headless(tmp_path, CONFIG.format(url=site.url), **smtp(mails, ca_folder, "wrong horse")) as house:
        fails(house, site)
        eventually(
            lambda: any(e.what is What.SENT and e.data["channel"] == "console" for e in house.events()),
            what="the console stands in",
        )
    refused = next(e for e in house.events() if e.what is What.GAVE_UP)
    assert refused.data["channel"] == "ops" and "535" in refused.note
    assert mails.mails == []
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"wrong horse" not in written and b"shop" in written
