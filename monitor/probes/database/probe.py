"""Judge a database: one query under one deadline, then what the server says of itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from monitor.config.databaseurl import DatabaseUrl
from monitor.config.kinds.database import ColumnRule, DatabaseCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.database.mariadb import open_mariadb
from monitor.probes.database.postgres import open_postgres
from monitor.probes.database.session import FEWEST_ROWS, MOST_BYTES, Connections, DatabaseFailed, Rows, Session
from monitor.probes.database.sqlite import Sqlite
from monitor.probes.deadline import Deadline
from monitor.probes.predicates import check_value, wanted
from monitor.probes.redaction import redacted, redactor_for
from monitor.probes.setting import Setting
from monitor.probes.stream import Stream, Transport, transport_to
from monitor.probes.verdict import ProbeFailed, failed, too_slow, unconfigured, verdict
from monitor.units import format_duration, format_ms, plain


def probe_database(check: DatabaseCheck, setting: Setting) -> Outcome:
    """Return the verdict on one query, and on the server's connections and replication where limits are set."""
    url = check.database
    if url is None:
        return unconfigured("the URL of the database is empty: set the variable that url names, such as DATABASE_URL")
    if url.dialect == "sqlite":
        return _ask_file(check, setting, url)
    return redacted(redactor_for([url.password]), _ask_server(check, setting, url))


def _ask_file(check: DatabaseCheck, setting: Setting, url: DatabaseUrl) -> Outcome:
    began = time.monotonic()
    try:
        session = Sqlite(setting.folder / url.name, check.timeout)
    except ProbeFailed as error:
        return error.outcome()
    return _ask(check, session, lambda: (time.monotonic() - began) * 1000, {})


def _ask_server(check: DatabaseCheck, setting: Setting, url: DatabaseUrl) -> Outcome:
    socket = url.socket
    if socket and url.dialect == "postgresql":
        socket = f"{socket}/.s.PGSQL.{url.port}"
    transport = transport_to(url.host, url.port, socket, min(check.connect_timeout, check.timeout))
    with Stream(transport, MOST_BYTES) as stream:
        try:
            session = _log_in(check, setting, url, stream)
        except (ProbeFailed, DatabaseFailed) as error:
            return _failed(error, transport.deadline.elapsed_ms, transport.phases_ms, _address(transport))
        # What connecting did not take is left for the query.
        transport.deadline = Deadline(check.timeout, transport.deadline.began)
        return _ask(check, session, lambda: transport.deadline.elapsed_ms, transport.phases_ms, transport)


def _log_in(check: DatabaseCheck, setting: Setting, url: DatabaseUrl, stream: Stream) -> Session:
    tls, ca_file = check.tls or url.tls or "prefer", check.ca_file or url.ca_file
    ca_file = setting.path_of(ca_file)
    transport = stream.transport
    transport.open()
    transport.awaited.what = "answer at login"
    open_session = open_postgres if url.dialect == "postgresql" else open_mariadb
    before = transport.deadline.elapsed_ms
    session: Session = open_session(url, tls, ca_file, stream)
    transport.phases_ms["login"] = transport.deadline.elapsed_ms - before - transport.phases_ms.get("tls", 0.0)
    return session


def _ask(
    check: DatabaseCheck,
    session: Session,
    elapsed_ms: Callable[[], float],
    phases_ms: dict[str, float],
    transport: Transport | None = None,
) -> Outcome:
    observed = _address(transport) if transport else {}
    before = elapsed_ms()
    try:
        observed["version"] = plain(session.version, 60)
        if transport:
            transport.awaited.what = "answer to the query"
        rows = session.query(check.query, max(FEWEST_ROWS, *(limit + 1 for limit in _row_limits(check))))
    except (ProbeFailed, DatabaseFailed) as error:
        if isinstance(error, DatabaseFailed):
            session.close()
        return _failed(error, elapsed_ms(), phases_ms, observed)
    latency_ms = elapsed_ms()
    phases_ms |= {"query": latency_ms - before, "total": latency_ms}
    findings, warnings = _figures(check, session, observed)
    session.close()
    return _judge(check, rows, latency_ms, phases_ms, observed, findings, warnings)


def _row_limits(check: DatabaseCheck) -> tuple[int, int]:
    return check.min_rows or 0, check.max_rows or 0


def _address(transport: Transport) -> dict[str, Json]:
    return {"address": plain(transport.address, 120)} if transport.address else {}


def _failed(
    error: ProbeFailed | DatabaseFailed, elapsed_ms: float, phases_ms: dict[str, float], observed: dict[str, Json]
) -> Outcome:
    code = {"error": error.code} if isinstance(error, DatabaseFailed) and error.code else {}
    phases = phases_ms | {"total": elapsed_ms}
    return failed(error.kind, error.message, elapsed_ms, phases_ms=phases, observed=observed | code)


def _figures(
    check: DatabaseCheck, session: Session, observed: dict[str, Json]
) -> tuple[list[tuple[Kind, Finding]], list[Finding]]:
    """Return what is wrong with the server's connections and replication, and what is to be warned of."""
    findings: list[tuple[Kind, Finding]] = []
    warnings: list[Finding] = []
    limits = (check.crit_connections_percent, check.warn_connections_percent)
    try:
        connections = session.connections()
    except (ProbeFailed, DatabaseFailed) as error:
        # What only speaks the protocol of a database may have no such figures; that is well unless they are wanted.
        if any(limit is not None for limit in limits):
            findings.append((error.kind, Finding("connections", "a figure", f"not to be had: {error.message}")))
    else:
        if connections is not None:
            findings, warnings = _in_use(limits, connections, observed)
    if check.max_lag is not None:
        findings += _lag(check.max_lag, session, observed)
    return findings, warnings


def _lag(max_lag: float, session: Session, observed: dict[str, Json]) -> list[tuple[Kind, Finding]]:
    wanted_lag = f"at most {format_duration(max_lag)}"
    try:
        lag_s = session.lag_s()
    except (ProbeFailed, DatabaseFailed) as error:
        return [(error.kind, Finding("replication lag", wanted_lag, f"not to be had: {error.message}"))]
    observed["replication_lag_s"] = round(lag_s, 3)
    if lag_s <= max_lag:
        return []
    return [(Kind.RESOURCE, Finding("replication lag", wanted_lag, format_duration(lag_s)))]


def _in_use(
    limits: tuple[float | None, float | None], connections: Connections, observed: dict[str, Json]
) -> tuple[list[tuple[Kind, Finding]], list[Finding]]:
    observed |= {"connections": connections.used, "max_connections": connections.most}
    for limit, is_fail in zip(limits, (True, False), strict=True):
        # NaN is not below any limit: it cannot be judged.
        if limit is not None and not connections.percent <= limit:
            got = f"{connections.percent:.1f} % ({connections.used} of {connections.most})"
            finding = Finding("connections in use", f"at most {limit:g} %", got)
            return ([(Kind.RESOURCE, finding)], []) if is_fail else ([], [finding])
    return [], []


def _judge(
    check: DatabaseCheck,
    rows: Rows,
    latency_ms: float,
    phases_ms: dict[str, float],
    observed: dict[str, Json],
    findings: list[tuple[Kind, Finding]],
    warnings: list[Finding],
) -> Outcome:
    observed["rows"] = rows.count
    findings = [(Kind.CONTENT, finding) for finding in _wrong_rows(check, rows)] + findings
    slow = too_slow(latency_ms, check.warn_ms, check.crit_ms)
    warning_kind = Kind.RESOURCE
    if slow and slow[0] is Status.FAIL:
        findings.append((Kind.SLOW, slow[1]))
    elif slow:
        warning_kind = warning_kind if warnings else Kind.SLOW
        warnings = [*warnings, slow[1]]
    message = f"{rows.count}{' or more' if rows.cut else ''} {'row' if rows.count == 1 else 'rows'}"
    return verdict(
        f"{message} in {format_ms(latency_ms)}",
        latency_ms,
        findings=[finding for _, finding in findings],
        kind=findings[0][0] if findings else Kind.CONTENT,
        warnings=warnings,
        warning_kind=warning_kind,
        phases_ms=phases_ms,
        observed=observed,
    )


def _wrong_rows(check: DatabaseCheck, rows: Rows) -> list[Finding]:
    findings = []
    got = f"{rows.count}{' or more' if rows.cut else ''}"
    if check.min_rows is not None and rows.count < check.min_rows:
        findings.append(Finding("rows", f"at least {check.min_rows}", got))
    if check.max_rows is not None and rows.count > check.max_rows:
        findings.append(Finding("rows", f"at most {check.max_rows}", got))
    for rule in check.expect:
        findings += _wrong_value(rule, rows)
    return findings


def _wrong_value(rule: ColumnRule, rows: Rows) -> list[Finding]:
    if rows.first is None or not rows.columns:
        what = rule.column or "the first value"
        return [Finding(plain(what, 60), wanted(rule.limits), "missing: the query gave no row")]
    name = rule.column if rule.column is not None else rows.columns[0]
    found = [value for column, value in zip(rows.columns, rows.first, strict=True) if column == name]
    if rule.column is None:
        found = [rows.first[0]]
    if not found:
        columns = ", ".join(rows.columns[:10])
        return [Finding(plain(name, 60), wanted(rule.limits), f"missing; the columns are {plain(columns, 120)}")]
    return [finding for value in found for finding in check_value(plain(name, 60), value, rule.limits)]
