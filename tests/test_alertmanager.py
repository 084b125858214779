"""Prometheus' own Alertmanager, in both directions: it is told by Greenwall, and it tells Greenwall."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from monitor.alerts import Alert
from monitor.model import Severity
from monitor.units import to_rfc3339, utc_now
from tests.conftest import eventually, free_port, program
from tests.headless import headless
from tests.receivers import Site

TOKEN = "a-token-of-sixteen-letters-or-more"
CONFIG = """
route: {{receiver: hook, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: hook
    webhook_configs:
      - url: "{url}"
        send_resolved: true
        http_config: {{authorization: {{credentials: "{token}"}}}}
"""
CHECKS = """
global: {{every: 200ms, retries: 0, wall_url: "https://wall.example.org"}}
channels:
  - {{name: manager, type: alertmanager, url: "{manager}"}}
routes:
  - {{name: all, channels: [manager], group_wait: 0s, group_interval: 0s}}
checks:
  - {{name: shop, type: http, url: "{site}/shop", severity: P1, owner: payments}}
"""


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """Run one on a free port that tells this webhook; yield its URL."""
    folder.mkdir()
    port = free_port()
    (folder / "alertmanager.yml").write_text(CONFIG.format(url=webhook, token=TOKEN))
    command = [
        program("prometheus-alertmanager", "prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'storage'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process,
    ):
        try:
            eventually(lambda: answers(f"{url}/-/ready"), 30.0, "Alertmanager is ready")
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def alerts_of(manager: str) -> list[dict[str, Any]]:
    return list(requests.get(f"{manager}/api/v2/alerts", timeout=10).json())


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as one:
        yield one


def test_alertmanager_is_told_of_the_opening_and_of_the_end(tmp_path: Path, site: Site) -> None:
    with alertmanager(tmp_path / "manager", f"{site.url}/hook") as manager:
        config = CHECKS.format(manager=manager, site=site.url)
        (tmp_path / "house").mkdir()
        with headless(tmp_path / "house", config) as house:
            eventually(lambda: house.statuses()["OK"] == 1, what="well")
            site.is_down = lambda path: path == "/shop"
            (firing,) = eventually(lambda: alerts_of(manager), what="it fires there")
            (alert,) = house.book().all()
            site.is_down = lambda _path: False
            eventually(lambda: len(site.posts) >= 2, what="Alertmanager says that it is over")
            eventually(lambda: not alerts_of(manager), what="it is over there")
            eventually(lambda: not house.book().outbox(), what="all receipts")
    assert firing["status"]["state"] == "active"
    labels = {"resource": "shop", "severity": "critical", "owner": "payments", "alert_id": alert.id}
    assert labels.items() <= firing["labels"].items()
    assert "status is 503" in firing["annotations"]["description"]
    said = [(one["status"], one["labels"]["alert_id"]) for post in site.posts for one in post.facts["alerts"]]
    assert said == [("firing", alert.id), ("resolved", alert.id)]


def reported(house: Any) -> Alert | None:
    return next((alert for alert in house.book().all() if alert.type == "DiskFull"), None)


def test_what_fires_in_alertmanager_opens_here_and_ends_with_it(tmp_path: Path, site: Site) -> None:
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    config = f"global: {{every: 1h}}\nchecks:\n  - {{name: shop, type: http, url: '{site.url}'}}\n"
    (tmp_path / "house").mkdir()
    with (
        headless(tmp_path / "house", config, "--port", str(port), GREENWALL_API_TOKEN=TOKEN) as house,
        alertmanager(tmp_path / "manager", f"{here}/api/v1/alerts/alertmanager") as manager,
    ):
        eventually(lambda: answers(f"{here}/healthz"), what="the API answers")
        labels = {"alertname": "DiskFull", "instance": "db1:9100", "severity": "critical"}
        notes = {"summary": "the disk of db1 is full", "description": "2 % are left"}
        post_alert(manager, labels, notes, ends_in_s=3600)
        alert = eventually(lambda: reported(house), what="it is open here")
        assert alert.is_open and alert.severity is Severity.P1 and alert.resource.startswith("db1:9100")
        assert alert.title == "the disk of db1 is full" and alert.message == "2 % are left"
        post_alert(manager, labels, notes, ends_in_s=-1)
        eventually(lambda: not reported(house).is_open, what="it is over here")  # type: ignore[union-attr]
        assert len(house.book().all()) == 1


def post_alert(manager: str, labels: dict[str, str], notes: dict[str, str], ends_in_s: float) -> None:
    now = utc_now()
    times = {
        "startsAt": to_rfc3339(now - timedelta(seconds=60)),
        "endsAt": to_rfc3339(now + timedelta(seconds=ends_in_s)),
    }
    answer = requests.post(
        f"{manager}/api/v2/alerts", json=[{"labels": labels, "annotations": notes} | times], timeout=10
    )
    answer.raise_for_status()
