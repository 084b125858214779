"""Prometheus' own Alertmanager tells Greenwall of its alerts by webhook, and of their end."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import uvicorn
from starlette.applications import Starlette

from monitor.alerts import AlertStatus
from monitor.model import Severity
from monitor.units import to_rfc3339, utc_now
from monitor.web import make_routes
from tests.conftest import eventually, free_port, program
from tests.test_reported import TOKEN, House

CONFIGURATION = """
route: {{receiver: greenwall, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}
receivers:
  - name: greenwall
    webhook_configs:
      - url: {url}/api/v1/alerts/alertmanager
        send_resolved: true
        http_config: {{authorization: {{credentials: {token}}}}}
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name in ("GREENWALL_API_TOKEN", "MONITOR_PASSWORD", "SLACK_WEBHOOK_URL", "SMTP_HOST"):
        monkeypatch.delenv(name, raising=False)
    one = House(tmp_path)
    one.secret("GREENWALL_API_TOKEN", TOKEN)
    one.start()
    yield one
    one.checker.stop()


@contextmanager
def listening(house: House) -> Iterator[str]:
    port = free_port()
    app = Starlette(routes=make_routes(house.views, house.operator))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, what="the API listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(15)


@contextmanager
def alertmanager(folder: Path, greenwall: str) -> Iterator[str]:
    path = program("prometheus-alertmanager", "prometheus-alertmanager")
    (folder / "am.yml").write_text(CONFIGURATION.format(url=greenwall, token=TOKEN))
    url = f"http://127.0.0.1:{free_port()}"
    command = [path, f"--config.file={folder}/am.yml", f"--storage.path={folder}/am", "--cluster.listen-address="]
    with (folder / "am.log").open("wb") as log:
        address = url.removeprefix("http://")
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        eventually(lambda: is_ready(url), what="Alertmanager is ready")
        yield url
    finally:
        process.terminate()
        process.wait(15)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.RequestException:
        return False


def test_its_alert_opens_here_and_ends_here(house: House, tmp_path: Path) -> None:
    labels = {"alertname": "DiskFull", "instance": "db-1:9100", "severity": "warning"}
    alert = {
        "labels": labels,
        "annotations": {"summary": "Disk of db-1 is full"},
        "startsAt": to_rfc3339(utc_now() - timedelta(minutes=5)),
    }
    with listening(house) as greenwall, alertmanager(tmp_path, greenwall) as url:
        requests.post(f"{url}/api/v2/alerts", json=[alert], timeout=5).raise_for_status()
        (opened,) = eventually(house.views.alerts, what="the alert is here")
        assert (opened.type, opened.title, opened.severity) == ("DiskFull", "Disk of db-1 is full", Severity.P3)
        assert opened.resource.startswith("db-1:9100 #") and opened.by == "alertmanager"

        over = alert | {"endsAt": to_rfc3339(utc_now() - timedelta(seconds=1))}
        requests.post(f"{url}/api/v2/alerts", json=[over], timeout=5).raise_for_status()
        eventually(lambda: not house.views.alerts()[0].is_open, what="it is over here")
    (ended,) = house.views.alerts()
    assert (ended.status, ended.resolved_by) == (AlertStatus.RESOLVED, "alertmanager")
