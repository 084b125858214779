"""The alertmanager channel against Prometheus' own Alertmanager."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from monitor.alerts import Alert
from monitor.channels.channel import Edge
from monitor.channels.incidents import Alertmanager
from monitor.config import Environment
from monitor.model import Category, Kind, Severity
from monitor.units import utc_now
from tests.conftest import eventually, free_port, program
from tests.messages import message_of

CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    path = program("prometheus-alertmanager", "prometheus-alertmanager")
    (tmp_path / "am.yml").write_text(CONFIGURATION)
    port = free_port()
    command = [path, f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}/data", "--cluster.listen-address="]
    with (tmp_path / "am.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: is_ready(url), 30.0, "Alertmanager is ready")
        yield url
    finally:
        process.terminate()
        process.wait(15)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.RequestException:
        return False


def active(url: str) -> list[dict[str, Any]]:
    found = requests.get(f"{url}/api/v2/alerts", params={"active": "true"}, timeout=5).json()
    assert isinstance(found, list)
    return found


def test_an_alert_is_active_there_until_it_is_over(alertmanager: str) -> None:
    opened_at = utc_now() - timedelta(minutes=5)
    db = Alert(
        id="a-1",
        type="http",
        resource='orders-db "{}\\',
        source="check",
        title="orders-db answers with an error",
        message="status is 503 <größer>",
        severity=Severity.P1,
        category=Category.DATABASE,
        kind=Kind.STATUS,
        opened_at=opened_at,
    )
    over = replace(db, resolved_at=utc_now(), resolved_by="checker", resolution="recovered")
    channel = Alertmanager(Edge("am", Environment().redactor(), limit_s=10.0), alertmanager)

    receipt = channel.send(message_of(db, "first_fail", "https://wall.example.org", utc_now()))
    assert receipt.ok, receipt.detail
    (there,) = eventually(lambda: active(alertmanager))
    assert (there["labels"]["resource"], there["labels"]["priority"]) == (db.resource, "P1")
    assert there["annotations"]["summary"] == db.title

    receipt = channel.send(message_of(over, "recovered", "https://wall.example.org", utc_now()))
    assert receipt.ok, receipt.detail
    eventually(lambda: not active(alertmanager), what="the alert is over there")
