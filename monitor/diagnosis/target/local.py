"""What kinds look at that ask no port: host, command, docker, systemd, heartbeat, group. Pure."""

from __future__ import annotations

from monitor.config import GroupCheck, HostCheck
from monitor.config.kinds.command import CommandCheck
from monitor.config.kinds.docker import DockerCheck
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.config.kinds.systemd import SystemdCheck
from monitor.diagnosis.target.look import Look, counted, in_time, lasting, limit, percent, said, some
from monitor.units import format_duration


def host(check: HostCheck) -> Look:
    has_path = check.metric in ("disk", "inode")
    wanted = check.process or check.command_line if check.metric == "process" else None
    of = check.path if has_path else wanted
    return Look(
        does="measures",
        what=check.metric + (f" of {of}" if of else ""),
        expected=(
            *percent(check, "use"),
            *said(
                limit("load per core above {} is WARN", check.warn),
                limit("load per core above {} is FAIL", check.crit),
                limit("{} or more processes", check.fewest if wanted else None),
                limit("{} or fewer processes", check.max_count),
                limit("more than {} MiB is WARN", check.warn_rss_mib),
                limit("more than {} MiB is FAIL", check.crit_rss_mib),
            ),
        ),
        parts=some(
            metric=check.metric, path=check.path if has_path else None, process=check.process if wanted else None,
            command_line=check.command_line if wanted else None,
        ),
        reaches_out=False,
        is_here=True,
    )  # fmt: skip


def command(check: CommandCheck) -> Look:
    """Return the look at a program: its arguments and its environment may be secret."""
    code = f"exit code {' or '.join(map(str, check.expect_exit))}"
    return Look(
        does="runs",
        what=check.command[0],
        expected=(
            *said(
                code if check.convention == "exit" else "exit code 0, by the convention of Nagios",
                limit("output that contains {}", check.expect_contains),
                limit("output that matches {}", check.expect_matches),
            ),
            *in_time(check, "running longer than"),
        ),
        left_out=said(
            "its arguments" if len(check.command) > 1 else None, "its environment variables" if check.env else None
        ),
        parts=some(program=check.command[0], cwd=check.cwd, has_arguments=len(check.command) > 1),
        reaches_out=False,
        is_here=True,
    )


def docker(check: DockerCheck) -> Look:
    return Look(
        does="asks for the container",
        what=check.container,
        expected=said(
            f"state {' or '.join(check.state)}",
            f"exit code {' or '.join(map(str, check.expect_exit))}" if "exited" in check.state else None,
            "a health check" if check.require_health else None,
            f"healthy within {format_duration(check.grace)}",
            counted("at most {} between two verdicts", check.max_restarts, "restart"),
        ),
        parts=some(container=check.container, docker_socket=check.socket),
        reaches_out=False,
        is_here=True,
    )


def systemd(check: SystemdCheck) -> Look:
    return Look(
        does="asks for the unit",
        what=check.unit,
        expected=said(
            f"state {' or '.join(check.state)}",
            f"sub state {' or '.join(check.sub_state)}" if check.sub_state else None,
            counted("at most {} between two verdicts", check.max_restarts, "automatic restart"),
        ),
        parts=some(unit=check.unit, user=check.user),
        reaches_out=False,
        is_here=True,
    )


def heartbeat(check: HeartbeatCheck) -> Look:
    """Return the look at a job that tells by itself; its key is all that is needed to send pings."""
    zone = f" ({check.timezone})" if check.timezone else ""
    return Look(
        does="waits for",
        what=f"pings at {check.cron}{zone}" if check.cron else f"a ping each {format_duration(check.period or 0)}",
        expected=said(
            f"each at most {format_duration(check.grace)} late",
            lasting("a run of at most {}", check.max_run),
            lasting("the first within {}", check.first_ping_within),
            "rules on its body" if check.expect_body else None,
            "POST only" if check.methods == "post" else None,
        ),
        left_out=("the key",),
        parts=some(cron=check.cron, timezone=check.timezone),
        reaches_out=False,
    )


def group(check: GroupCheck) -> Look:
    return Look(
        does="is judged from",
        what=check.target,
        expected=said(
            f"at least {check.at_least} members up" if check.at_least else "every member up",
            limit("fewer than {} up is WARN", check.warn_below),
        ),
        reaches_out=False,
    )
