"""A database refuses, waits, is full or answers wrongly: PostgreSQL, MariaDB and MySQL, SQLite. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice import answer, reach
from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.commands import fits_a_line, sql
from monitor.units import format_duration

_BUSY = (
    "SELECT pid, state, wait_event_type, pg_blocking_pids(pid) AS blocked_by, now() - query_start AS runs, "
    "left(query, 80) FROM pg_stat_activity WHERE state <> $$idle$$ ORDER BY runs DESC LIMIT 15"
)
_BLOCKED = (
    "SELECT pid, usename, pg_blocking_pids(pid) AS blocked_by, now() - query_start AS waits, left(query, 80) "
    "FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
)
_WHO = (
    "SELECT usename, application_name, client_addr, state, count(*) FROM pg_stat_activity "
    "GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 15"
)
_IDLE = (
    "SELECT pid, usename, now() - state_change AS idle, left(query, 60) FROM pg_stat_activity "
    "WHERE state = $$idle in transaction$$ ORDER BY idle DESC LIMIT 10"
)
_REPLICA = "SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp(), now() - pg_last_xact_replay_timestamp() AS lag"
_PRIMARY = "SELECT client_addr, state, sync_state, write_lag, replay_lag FROM pg_stat_replication"
_RULES = "SELECT type, database, user_name, address, auth_method FROM pg_hba_file_rules"
_ROLES = "SELECT rolname, rolcanlogin, rolvaliduntil, rolconnlimit FROM pg_roles WHERE rolcanlogin"
_URL = " (`DATABASE_URL` is the URL of the check)"


def _is(case: Case, dialect: str) -> bool:
    return case.detail("dialect") == dialect


def _asked(case: Case, text: str, postgresql: tuple[str, ...], mysql: tuple[str, ...]) -> Step | None:
    """Return the step with these queries; None for a file, which has no sessions."""
    if _is(case, "sqlite"):
        return None
    queries = mysql if _is(case, "mysql") else postgresql
    hint = "" if _is(case, "mysql") else _URL
    return Step(f"{text}{hint}:", sql(case, *queries))


def _log(case: Case) -> Step:
    units = "-u mariadb -u mysql" if _is(case, "mysql") else "-u 'postgresql*'"
    return Step(f"On {case.machine}, read the server's log:", f"journalctl -n 50 --no-pager {units}")


def _file(case: Case) -> tuple[Step, ...]:
    file = case.arg(case.detail("file"))
    return (
        Step(
            "See the file, its folder and who may read them:",
            f'ls -l {file}*\nls -ld "$(dirname {file})"\ndf -h {file}',
        ),
        Step("See who has it open:", f"fuser -v {file}"),
    )


def connect(case: Case) -> Advice:
    if not _is(case, "sqlite"):
        return reach.connect(case)
    return Advice(
        f"There is no database at {case.code(case.detail('file'))}: the path is wrong, it was moved, or its disk is "
        "not mounted. Greenwall never creates one.",
        case.because,
        (*_file(case), Step("A relative path counts from the folder of `checks.yaml`: compare it with the file.")),
        "When the file is there, the next verdict is OK.",
    )


def auth(case: Case) -> Advice:
    if _is(case, "sqlite"):
        return Advice(
            f"Greenwall may not read {case.code(case.detail('file'))}.",
            case.because,
            (*_file(case), Step("Let the user that Greenwall runs as read the file and pass through its folders.")),
            "Readable by hand as that user, and the check turns OK.",
        )
    return Advice(
        f"The database at {case.code(case.where)} refuses the login: the password was changed or has expired, the "
        "user is locked or gone, or it may not come from this address.",
        case.because,
        steps_of(
            by_hand(case),
            _asked(
                case,
                "As an administrator, see who may log in, until when and from where",
                (_ROLES, _RULES),
                ("SELECT user, host, plugin FROM mysql.user", "SHOW GRANTS"),
            ),
            _log(case),
            Step("Put the new password into the environment or `.env`, and let Greenwall read it again."),
        ),
        "If the login works by hand with the password that you know to be right, the environment holds the old one; "
        "if it does not, it is the user or the rule for this address on the server.",
    )


def resource(case: Case) -> Advice:
    if case.found("replication lag"):
        return _lag(case)
    if _is(case, "sqlite") or case.says("no space", "disk full", "could not extend", "out of memory", "i/o"):
        return _full(case)
    used, most = case.observed("connections"), case.observed("max_connections")
    figures = f" ({case.code(used)} of {case.code(most)} are in use)" if used and most else ""
    return Advice(
        f"The connections of {case.code(case.where)} are used up or nearly so{figures}: a pool that is too large or "
        "leaks, more instances of an application than before, or long queries that hold them.",
        (*case.because,),
        steps_of(
            _asked(
                case,
                "As an administrator, for whom some are kept, see who holds them",
                (_WHO, _IDLE),
                ("SELECT user, host, command, count(*) FROM information_schema.processlist GROUP BY 1, 2, 3",),
            ),
            _asked(
                case,
                "See the limit",
                ("SHOW max_connections", "SHOW superuser_reserved_connections"),
                ("SHOW VARIABLES LIKE 'max%connections'", "SHOW STATUS LIKE 'Max_used_connections'"),
            ),
            Step(
                "If the one at the top is not meant to have so many, restart it or lower its pool; sessions that are "
                "`idle in transaction` come from an application that forgets to commit."
            ),
            _log(case),
        ),
        "One application with most of them is the cause; when it lets go, the figure falls at once.",
    )


def _full(case: Case) -> Advice:
    own = _file(case) if _is(case, "sqlite") else (Step(f"On {case.machine}, see space:", "df -h\ndf -i\nfree -h"),)
    return Advice(
        f"The database {case.what} has no room left, or its disk is broken.",
        case.because,
        steps_of(
            *own,
            Step(
                "See what the kernel says of the disk:",
                "dmesg -T | grep -i -E 'i/o error|ext4|xfs|nvme|out of memory' | tail -20",
            ),
            None if _is(case, "sqlite") else _log(case),
        ),
        "A file system at 100 % is the cause; input and output errors of the kernel mean the disk itself.",
    )


def _lag(case: Case) -> Advice:
    not_one = case.says("no replica", "does not run")
    return Advice(
        f"The server at {case.code(case.where)} "
        + (
            "is no replica, or its replication does not run: it was promoted, or stopped at an error."
            if not_one
            else "is behind its primary: the network, a long query on it that replay waits for, or more writes than it "
            "can follow."
        ),
        case.because,
        steps_of(
            _asked(case, "See how it stands with replication", (_REPLICA,), ("SHOW REPLICA STATUS\\G",)),
            Step("Ask the primary the same (there, with its URL):", _on_primary(case)),
            _asked(case, "See what runs on the replica and for how long", (_BUSY,), ("SHOW FULL PROCESSLIST",)),
            _log(case),
        ),
        "A lag that shrinks by itself was load; one that grows evenly means that replication stands still, and its "
        "error is in the log.",
    )


def _on_primary(case: Case) -> str:
    if _is(case, "mysql"):
        return "mysql -h PRIMARY -u USER -p -e 'SHOW REPLICAS; SHOW BINARY LOG STATUS'"
    return f'psql "$PRIMARY_URL" -c {case.arg(_PRIMARY)}'


def timeout(case: Case) -> Advice:
    if _is(case, "sqlite"):
        return _locked_file(case)
    if "login" not in case.phases_ms and "query" not in case.phases_ms and not case.observed("version"):
        return reach.timeout(case)
    lock = case.says("lock")
    return Advice(
        f"The database at {case.code(case.where)} took the login and did not end the query within "
        f"{format_duration(case.deadline_s)}: "
        + ("it waits for a lock that another session holds." if lock else "it is slow, or waits for a lock."),
        (*case.because, *case.usual_fact),
        steps_of(
            _asked(
                case,
                "See who waits for whom",
                (_BLOCKED, _IDLE),
                ("SELECT * FROM sys.innodb_lock_waits", "SHOW ENGINE INNODB STATUS\\G"),
            ),
            _asked(case, "See what it works on", (_BUSY,), ("SHOW FULL PROCESSLIST",)),
            _plan(case),
            Step(
                f"On {case.machine}, see whether it is short of processor or disk:", "uptime\nvmstat 1 5\niostat -x 1 3"
            ),
        ),
        "A session that blocks others, or has been `idle in transaction` for long, is the cause: ask its owner before "
        "you end it.",
    )


def _plan(case: Case) -> Step | None:
    query = case.detail("query")
    if not query.lower().startswith("select") or not fits_a_line(query):
        return None
    return _asked(case, "See the plan of the check's query", (f"EXPLAIN {query}",), (f"EXPLAIN {query}",))


def _locked_file(case: Case) -> Advice:
    return Advice(
        f"The database {case.code(case.detail('file'))} is locked by another program, or the query takes too long.",
        case.because,
        (
            *_file(case),
            *steps_of(by_hand(case)),
            Step(
                "See whether it is in WAL mode, in which readers do not wait for writers:",
                sql(case, "PRAGMA journal_mode"),
            ),
        ),
        "A program that has it open and writes is the cause; with `journal_mode` `wal` readers no longer wait.",
    )


def status(case: Case) -> Advice:
    starting = case.says("starting up", "shutting down", "recovery", "not yet accepting")
    missing = case.says("does not exist", "unknown database", "no such table", "doesn't exist")
    error = case.observed("error")
    cause = (
        "starts, stops or recovers just now."
        if starting
        else "does not have what the check asks for: a database, table or column was renamed or dropped."
        if missing
        else "refuses the query."
    )
    return Advice(
        f"The database {case.what} answers, and {cause}" + (f" Its error code is {case.code(error)}." if error else ""),
        case.because,
        steps_of(
            by_hand(case),
            _asked(
                case,
                "See what there is",
                (
                    "SELECT datname FROM pg_database",
                    "SELECT schemaname, tablename FROM pg_tables ORDER BY 1, 2 LIMIT 50",
                ),
                ("SHOW DATABASES", "SHOW TABLES"),
            )
            if missing
            else None,
            None if _is(case, "sqlite") else _log(case),
            case.deployed if missing else None,
        ),
        "The same error by hand, with the same code, confirms it; for the meaning of the code see the server's manual.",
    )


def content(case: Case) -> Advice:
    return Advice(
        f"The database {case.what} works, and its data is not as the check expects it: it is business, not plumbing.",
        case.because,
        steps_of(
            by_hand(case),
            Step("Look at who writes these rows: a worker that stands still, an import that failed, or a deletion."),
            case.deployed,
        ),
        "The same figures by hand; when the cause is mended they move back within the limits.",
    )


def protocol(case: Case) -> Advice:
    if not _is(case, "sqlite"):
        return reach.protocol(case)
    return Advice(
        f"{case.code(case.detail('file'))} is no SQLite database, is encrypted, or is damaged.",
        case.because,
        (
            *_file(case),
            Step(
                "See what it is, and check it:",
                f"file {case.arg(case.detail('file'))}\n{sql(case, 'PRAGMA quick_check')}",
            ),
        ),
        "`SQLite 3.x database` and `ok` mean that it is well by now; anything else wants the last backup.",
    )


def slow(case: Case) -> Advice:
    query_ms, took = case.phases_ms.get("query", 0.0), case.bad.outcome.latency_ms if case.bad else None
    if not took or query_ms < took / 2:
        return answer.slow(case)
    return Advice(
        f"The query at {case.what} takes most of the time{case.took}: it reads more than before, lacks an index, or "
        "waits for others.",
        (f"The phases tell so{case.cite(*SEEN)}.", *case.because, *case.usual_fact),
        steps_of(
            _asked(case, "See what else it works on, and who waits", (_BUSY,), ("SHOW FULL PROCESSLIST",)),
            by_hand(case),
            Step(
                f"On {case.machine}, see whether it is short of processor or disk:", "uptime\nvmstat 1 5\niostat -x 1 3"
            ),
        ),
        "Slow by hand too when nothing else runs: the query itself; fast then: load.",
    )
