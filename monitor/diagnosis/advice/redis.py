"""A Redis server refuses, is full, busy or alone: the redis kind. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import Advice, Case, Step
from monitor.diagnosis.commands import redis_cli


def _ask(case: Case, text: str, *commands: str) -> Step:
    return Step(text, "\n".join(f"{redis_cli(case)} {command}" for command in commands))


def _log(case: Case) -> Step:
    names = "-u 'redis*' -u 'valkey*'"
    return Step(f"On {case.machine}, read the server's log:", f"journalctl -n 50 --no-pager {names}")


def auth(case: Case) -> Advice:
    no_right = case.says("noperm")
    return Advice(
        f"The Redis server at {case.code(case.where)} "
        + (
            "knows the user and does not allow the command: its ACL lacks the right."
            if no_right
            else "refuses the login: the password was changed, the user is off, or the URL has none."
        ),
        case.because,
        steps_of(
            by_hand(case),
            _ask(
                case, "As an administrator, see which users there are and what was refused:", "ACL LIST", "ACL LOG 10"
            ),
            Step("Put the new password into the environment or `.env`, and let Greenwall read it again."),
        ),
        "`PONG` by hand with the password that you know to be right means that the environment holds the old one.",
    )


def resource(case: Case) -> Advice:
    if case.found("connected clients") or case.says("max number of clients"):
        return _clients(case)
    if case.found("last word from the master"):
        return replication(case)
    policy = _ask(case, "See the limit, and what happens at it:", "CONFIG GET 'maxmemory*'", "INFO memory")
    evicted = case.observed("evicted_keys")
    return Advice(
        f"The memory of the Redis server at {case.code(case.where)} is nearly used up: keys without an expiry, a list "
        "or stream that nobody shortens, or a `maxmemory` that is too small."
        + (" It throws keys out already." if isinstance(evicted, int) and evicted else ""),
        case.because,
        (
            policy,
            _ask(case, "See what takes it (it walks through all keys, in small steps):", "--bigkeys -i 0.01"),
            _ask(case, "See what was thrown out or refused:", "INFO stats | grep -E 'evicted|expired|rejected'"),
            _log(case),
        ),
        "With the policy `noeviction` writes fail from here on (`OOM command not allowed`); one key far above the "
        "others is the cause.",
    )


def _clients(case: Case) -> Advice:
    return Advice(
        f"The Redis server at {case.code(case.where)} has too many clients: a pool that is too large or leaks, or more "
        "instances of an application than before.",
        case.because,
        (
            _ask(case, "See how many, and the limit:", "INFO clients", "CONFIG GET maxclients"),
            _ask(
                case,
                "See from where they come:",
                "CLIENT LIST | grep -o ' addr=[^: ]*' | sort | uniq -c | sort -rn | head",
            ),
            _log(case),
        ),
        "One address with most of them is the cause; when it lets go, the figure falls at once.",
    )


def status(case: Case) -> Advice:
    if case.found("role", "link to the master") or case.says("masterdown"):
        return replication(case)
    busy, loading = case.says("busy"), case.says("loading")
    return Advice(
        f"The Redis server at {case.code(case.where)} answers, and "
        + (
            "loads its data after a start: it will serve when it has done so."
            if loading
            else "is busy with a script that does not end."
            if busy
            else "refuses what it is asked for."
        ),
        case.because,
        steps_of(
            by_hand(case),
            _ask(
                case,
                "See how far it is, and since when it runs:",
                "INFO persistence | grep -E 'loading|rdb_last|aof_last'",
            ),
            _ask(case, "See what takes it so long:", "SLOWLOG GET 10") if busy else None,
            _log(case),
        ),
        "A start or a crash in its log at that time explains it; `MISCONF` means that it cannot write to its disk.",
    )


def replication(case: Case) -> Advice:
    return Advice(
        f"The Redis server at {case.code(case.where)} is not the replica or master that it should be, or has lost its "
        "master: a failover, a network between them that is cut, or a master that is down.",
        case.because,
        (
            _ask(case, "See its role and its link:", "INFO replication"),
            Step("Ask the other one the same (OTHER is its address):", "redis-cli -h OTHER --askpass INFO replication"),
            Step("Where Sentinel keeps them, see whom it takes for the master:", "redis-cli -p 26379 SENTINEL masters"),
            _log(case),
        ),
        "Two masters, or a replica whose `master_host` is no longer one, mean a failover that was not followed: "
        "correct the URL or `role` of the check, or the server.",
    )


def content(case: Case) -> Advice:
    found = case.findings[0].what.removeprefix("key ") if case.findings and case.findings[0].what[:4] == "key " else ""
    key = case.arg(found) if found else "KEY"
    return Advice(
        f"The Redis server at {case.code(case.where)} works, and a key in it is not as the check expects it.",
        case.because,
        (
            _ask(case, "Look at the key:", f"TYPE {key}", f"TTL {key}", f"MEMORY USAGE {key}"),
            Step("Look at who writes or empties it: a worker that stands still, or an expiry that has passed."),
            case.deployed,
        ),
        "The same by hand; when its writer or reader works again, the key moves back within the limits.",
    )


def slow(case: Case) -> Advice:
    return Advice(
        f"The Redis server at {case.code(case.where)} answers rightly and too slowly: one slow command holds up all "
        "others, memory is swapped out, or the network is slow.",
        (*case.because, *case.usual_fact),
        (
            _ask(case, "See its slow commands, and what delays it:", "SLOWLOG GET 10", "LATENCY LATEST"),
            Step("Measure it from here for a while:", f"timeout --foreground 20 {redis_cli(case)} --latency"),
            Step(f"On {case.machine}, see whether it swaps or is busy:", "free -h\nvmstat 1 5\nuptime"),
            _log(case),
        ),
        "`KEYS`, `SMEMBERS` or a long script in the slow log is the cause; nothing there means the machine or the way.",
    )
