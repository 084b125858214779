"""Reports from outside: what an application, the HTTP API or the Python API tells of becomes alerts.

    {"told": [Report or [type, resource], …]} ──▶ opened, counted up, or ended: one after the other

A person's end is final; that of whoever reported it is an end as a check's recovery is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts import Alert, Report, resolve
from monitor.alerts.reports import Told, from_json
from monitor.checker.alertdesk import AlertDesk
from monitor.history.inbox import Command
from monitor.model import Json

SOURCES = ("api", "manual")
# A program that gives each of its alerts another name must not fill the memory, the disk and the wall.
MOST_OPEN = 5000


class NotAReport(ValueError):
    """The command holds something else; the text says what."""


def take_reports(desk: AlertDesk, command: Command, now: datetime) -> tuple[str, Alert | None]:
    """Carry out the command; return what became of it, and the alert where it was one report of one.

    NotAReport before anything is done when a part of it cannot be read.
    """
    told = [_read(item) for item in _list(command.options.get("told"))]
    _check_room(desk, told)
    counts: Counter[str] = Counter()
    alert = None
    for index, one in enumerate(told):
        # Each at a time of its own: what ends and comes back in one command is two alerts.
        at = now + timedelta(microseconds=index)
        if isinstance(one, Report):
            counts["opened" if desk.book.same(one.type, one.resource) is None else "counted up"] += 1
            alert = desk.report(one, command.by, at)
        else:
            counts["resolved" if _resolve(desk, *one, command.by, at) else "not open"] += 1
    if len(told) == 1 and alert:
        count = desk.count_of(alert)
        is_new = counts["opened"]
        said = f"alert {alert.id} of {alert.resource} is open" if is_new else f"alert {alert.id} is counted up: {count}"
        return said, replace(alert, count=count)
    return ", ".join(f"{number} {what}" for what, number in counts.items()) or "nothing was reported", None


def _check_room(desk: AlertDesk, told: Sequence[Told]) -> None:
    new = {(one.type, one.resource) for one in told if isinstance(one, Report)}
    new = {one for one in new if desk.book.same(*one) is None}
    still_open = sum(alert.source in SOURCES for alert in desk.book.open()) if new else 0
    if new and still_open + len(new) > MOST_OPEN:
        raise NotAReport(f"{still_open} reported alerts are open, and {MOST_OPEN} may be: resolve some, or set `ttl`")


def _resolve(desk: AlertDesk, type_: str, resource: str, by: str, now: datetime) -> bool:
    """End the open alert that somebody reported; those of checks and rules are not theirs to end."""
    alert = desk.book.same(type_, resource)
    if alert is None or alert.source not in SOURCES:
        return False
    return desk.take(resolve(alert, by, f"{by} reports that it is over", now)) is not None


def _read(item: Json) -> Told:
    if isinstance(item, list) and len(item) == 2:
        return str(item[0]), str(item[1])
    try:
        if isinstance(item, dict):
            return from_json(item)
    except (KeyError, TypeError, ValueError) as error:
        raise NotAReport(f"not a report: {type(error).__name__}: {error}") from error
    raise NotAReport("not a report: expected an object, or a type and a resource")


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, (list, tuple)) else ()
