"""Particulars of a report that advice can name: the process, the query, the log. Pure; read by `recommend`.

    PARTICULARS["pid"] ──▶ function(Report) ──▶ its text, or None where the report does not say

Texts come from targets: one line, bounded, and left out rather than cut where half of it would be another thing.
Quoting them for a shell is for `recommend` to do. To teach one, write a function and add a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

from monitor.alerts.report import Report
from monitor.model import Category, Json
from monitor.units import plain

_LONGEST_QUERY, _LONGEST_WORD, _LONGEST_TEXT = 1000, 300, 120
# Of plans and stack traces, no more is read.
_LAST = 20_000
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)
_UNIT = re.compile(r"[a-z0-9_][a-z0-9_.@:-]{0,99}", re.ASCII | re.IGNORECASE)
_URL = re.compile(r"https?://[^\s@]+", re.IGNORECASE)
_SCAN = re.compile(r"\bseq(?:uential)? scan on (?:\w+\.)?([a-z_]\w{0,62})\b", re.ASCII | re.IGNORECASE)
_READS = re.compile(r"\A\s*(?:select|with)\b", re.IGNORECASE)
_WHERE = re.compile(r"\bwhere\b(.*?)(?:\b(?:group|order|limit|having|union|for)\b|\Z)", re.IGNORECASE | re.DOTALL)
_EQUALS = re.compile(r"(?<![\w.'\"])(?:\w+\.)?([a-z_]\w{0,62})\s*(?:=|\bin\b)", re.ASCII | re.IGNORECASE)
# What could end the query and begin something else, or turn into a comment when it is put on one line.
_MORE_THAN_A_QUERY = re.compile(r";|--|/\*|#|\\")


def _said(report: Report, *keys: str) -> Json:
    """Return the first of these in the metadata that says something."""
    return next((value for key in keys if (value := report.metadata.get(key)) not in (None, "", [])), None)


def _text(value: Json, limit: int = _LONGEST_TEXT) -> str | None:
    if value is None or isinstance(value, (Mapping, bool)) or not isinstance(value, (str, int, float)):
        return None
    return plain(str(value), limit) or None


def _word(value: Json, limit: int = _LONGEST_WORD) -> str | None:
    """Return a text that is whole on one line; None when it would have to be cut or changed."""
    text = value.strip() if isinstance(value, str) else ""
    return text if text and plain(text, limit) == text else None


def _named(report: Report) -> str | None:
    """Return the resource where it is the name of the thing itself; a check has one of its own."""
    return None if report.source == "check" else _word(report.resource)


def _resource(report: Report) -> str | None:
    return _text(report.resource)


def _host(report: Report) -> str | None:
    """Return the machine: the resource is one when it is the trouble of a system, or has a name with dots."""
    is_one = report.category is Category.SYSTEM or "." in report.resource
    name = _word(_said(report, "host", "hostname", "server")) or (_named(report) if is_one else None) or ""
    return name if _HOST.fullmatch(name) else None


def _machine(report: Report) -> str:
    """Return where to look, as it stands in a sentence."""
    return _host(report) or "the machine"


def _unit(report: Report) -> str | None:
    """Return the name of a service; the resource when it is no machine."""
    is_one = report.category is not Category.SYSTEM and "." not in report.resource
    name = _word(_said(report, "service", "unit", "service_name")) or (_named(report) if is_one else None) or ""
    return name if _UNIT.fullmatch(name) else None


def _url(report: Report) -> str | None:
    url = _word(_said(report, "url", "health_check_url", "health_url")) or _named(report) or ""
    return url if _URL.fullmatch(url) else None


def _endpoint(report: Report) -> str | None:
    return _text(_said(report, "affected_endpoint", "endpoint"))


def _processes(report: Report) -> list[Mapping[str, Json]]:
    """Return processes with a number, as they were reported: the busiest first."""
    listed = _said(report, "top_processes", "processes")
    rows = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else [report.metadata]
    return [row for row in rows if isinstance(row, Mapping) and _is_pid(row.get("pid", row.get("process_id")))]


def _is_pid(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _pid(report: Report) -> str | None:
    return next((str(row.get("pid", row.get("process_id"))) for row in _processes(report)), None)


def _busiest(report: Report) -> str | None:
    """Return `gunicorn (PID 12345, 45.2% CPU), celery (PID 12346, 30.1% CPU)`."""
    return ", ".join(_process(row) for row in _processes(report)[:3]) or None


def _process(row: Mapping[str, Json]) -> str:
    name = _text(row.get("name", row.get("process_name", row.get("process"))), 40) or "a process"
    shown = [f"PID {row.get('pid', row.get('process_id'))}"]
    for keys, unit in _FIGURES:
        found = next((value for key in keys if isinstance(value := row.get(key), (int, float))), None)
        shown += [f"{found:g}{unit}"] if found is not None and not isinstance(found, bool) else []
    return f"{name} ({', '.join(shown)})"


_FIGURES = (
    (("cpu", "cpu_percent"), "% CPU"),
    (("memory", "mem", "memory_percent"), "% memory"),
    (("memory_mb", "rss_mb"), " MB"),
)


def _query(report: Report) -> str | None:
    """Return the query on one line when it is one that only reads and nothing else."""
    query = _said(report, "query", "sql", "slow_query")
    if not isinstance(query, str) or len(query) > _LONGEST_QUERY or not _READS.match(query):
        return None
    query = query.strip().removesuffix(";")
    return None if _MORE_THAN_A_QUERY.search(query) else plain(query, _LONGEST_QUERY)


def _explain(report: Report) -> str | None:
    """Return the question for its plan; it is not run."""
    query = _query(report)
    return f"EXPLAIN {query}" if query else None


def _scanned(report: Report) -> str | None:
    """Return the table that the plan reads from end to end."""
    plan = _said(report, "execution_plan", "plan", "explain")
    found = _SCAN.search(f"{plan} {report.message}"[:_LAST])
    return found[1] if found else None


def _unindexed(report: Report) -> str | None:
    return None if _create_index(report) else _scanned(report)


def _create_index(report: Report) -> str | None:
    """Return the statement for an index on what the query compares, where both table and columns are plain to see."""
    table, where = _scanned(report), _WHERE.search(_query(report) or "")
    columns = list(dict.fromkeys(_EQUALS.findall(where[1])))[:3] if where else []
    if not table or not columns:
        return None
    return f"CREATE INDEX CONCURRENTLY idx_{table}_{'_'.join(columns)} ON {table} ({', '.join(columns)})"


def _rows_scanned(report: Report) -> str:
    rows = _said(report, "rows_scanned", "rows")
    return f"all {rows:,} rows" if isinstance(rows, int) and not isinstance(rows, bool) else "all rows"


def _mount(report: Report) -> str:
    path = _word(_said(report, "path", "mount", "mount_point", "mountpoint", "partition")) or _named(report)
    return path if path and path.startswith("/") else "/"


def _address(report: Report) -> str | None:
    """Return the address that log-ins or requests come from."""
    address = _word(_said(report, "ip", "ip_address", "source_ip", "client_ip", "remote_addr"))
    try:
        return str(ip_address(address)) if address else None
    except ValueError:
        return None


def _account(report: Report) -> str | None:
    return _word(_said(report, "user", "username", "account", "target_account", "target_user"), 64)


def _log_file(report: Report) -> str | None:
    path = _word(report.related_logs or _said(report, "related_logs", "log_path", "log_file"))
    return path if path and path.startswith("/") else None


def _log(report: Report) -> str | None:
    """Return where the logs are when it is no file."""
    return None if _log_file(report) else _text(report.related_logs or _said(report, "related_logs"), _LONGEST_WORD)


def _trace_end(report: Report) -> str | None:
    """Return the last place that a stack trace of Python names: `booking_service.py", line 88`."""
    trace = _said(report, "stack_trace", "traceback")
    places = re.findall(r'File "?([^"\n,]{1,200})"?, line (\d{1,7})', trace[-_LAST:]) if isinstance(trace, str) else []
    return plain(f"{places[-1][0]}, line {places[-1][1]}", 200) if places else None


PARTICULARS: Mapping[str, Callable[[Report], str | None]] = {
    "resource": _resource,
    "host": _host,
    "machine": _machine,
    "unit": _unit,
    "url": _url,
    "endpoint": _endpoint,
    "pid": _pid,
    "busiest": _busiest,
    "explain": _explain,
    "scanned": _scanned,
    "unindexed": _unindexed,
    "create-index": _create_index,
    "rows-scanned": _rows_scanned,
    "mount": _mount,
    "address": _address,
    "account": _account,
    "log-file": _log_file,
    "log": _log,
    "trace-end": _trace_end,
}
