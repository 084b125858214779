"""The `command` kind: run a program, judge its exit code and output by the convention of Nagios or as the file says.

MESSAGE | PERFDATA            https://www.monitoring-plugins.org/doc/guidelines.html#PLUGOUTPUT
LONG TEXT LINE 1              the first line is for people; what stands behind a bar is for machines
LONG TEXT LINE 2 | PERFDATA
PERFDATA
"""

from __future__ import annotations

import errno
import math
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import re2

from monitor.config.environment import Environment
from monitor.config.kinds.command import CommandCheck
from monitor.config.pattern import compile_pattern
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.bounded import Hanging
from monitor.probes.program import FLOOD_BYTES, KEPT_BYTES, Ended, clean_environment, run_program
from monitor.probes.setting import Setting
from monitor.probes.verdict import failed, too_slow, unconfigured, verdict
from monitor.units import format_duration, format_ms, plain

_SHOWN_METRICS = 20
_PERFDATA_CHARACTERS = 16 * 1024
# What stands in the file cannot be run as it is; any other trouble with starting it is this machine's.
_CANNOT_BE_RUN = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP,
    errno.ENAMETOOLONG, errno.E2BIG,
}  # fmt: skip
_NAGIOS = {0: Status.OK, 1: Status.WARN, 2: Status.FAIL, 3: Status.UNKNOWN}
# By these shells, env and the dynamic linker say that they could not run it.
_NOT_RUN = {126, 127}
_METRIC = re2.compile(r"(?:'((?:[^']|'')*)'|([^\s=']+))=(\S*)")
_VALUE = re.compile(r"([-+]?[\d.,]+(?:[eE][-+]?\d+)?|U)([^\d;]*)")


def probe_command(check: CommandCheck, setting: Setting) -> Outcome:
    """Return the verdict on one run of the program."""
    if not setting.allows_commands:
        return unconfigured("programs are not run; set `allow_commands: true` under `global:` to let checks run them")
    if os.name != "posix":
        return unconfigured("programs are run on Linux and macOS only")
    cwd = setting.folder / check.cwd if check.cwd else setting.folder
    redact = Environment(check.env).redactor()
    try:
        ended = run_program(check.command, check.timeout, clean_environment(check.env), cwd)
    except Hanging as hanging:
        since = format_duration(hanging.since_s)
        return failed(Kind.TIMEOUT, f"{_name(check)} hangs since {since} and cannot be ended", hanging.since_s * 1000)
    except OSError as error:
        if error.errno not in _CANNOT_BE_RUN:
            raise
        return unconfigured(_why_not_run(check, cwd, error))
    return _judge(check, ended, redact)


def _name(check: CommandCheck) -> str:
    return plain(Path(check.command[0]).name or check.command[0], 60)


def _why_not_run(check: CommandCheck, cwd: Path, error: OSError) -> str:
    program, why = plain(check.command[0], 120), error.strerror or str(error)
    if not cwd.is_dir():
        return f"`cwd`: {plain(str(cwd), 120)} is no folder"
    if isinstance(error, FileNotFoundError) and (cwd / check.command[0]).exists() and "/" in program:
        return f"{program} cannot be run: the interpreter that its first line names is not there"
    if error.errno == errno.ENOEXEC:
        return f"{program} cannot be run: it is no program, and its first line names no interpreter (#!/bin/sh)"
    if isinstance(error, FileNotFoundError):
        return f"{program} cannot be run: not found; install it, or write its whole path"
    return f"{program} cannot be run: {why}"


# ---- judging


def _judge(check: CommandCheck, ended: Ended, redact: Callable[[str], str]) -> Outcome:
    text = redact(ended.output.decode(errors="replace"))
    message, perfdata = split_output(text) if check.convention == "nagios" else (text.strip().partition("\n")[0], "")
    # Some plugins leave a separator where more could follow.
    said = plain(message).rstrip("; ") or plain(redact(ended.errors.decode(errors="replace")))
    observed: dict[str, Json] = {}
    if ended.code is not None:
        observed["exit_code"] = ended.code
    metrics = parse_perfdata(perfdata)
    if metrics:
        observed["perfdata"] = metrics
    if ended.code is None:
        return _unfinished(check, ended, said, observed)
    status, kind, why = _meaning(check, ended.code)
    if status is Status.UNKNOWN:
        # How it is used, most often, and of that the first line says nothing.
        said = plain(text) or said
    findings = [] if status in (Status.FAIL, Status.UNKNOWN) else _wrong_output(check, ended, text)
    if findings:
        return verdict("", ended.latency_ms, findings=findings, observed=observed)
    slow = too_slow(ended.latency_ms, check.warn_ms, check.crit_ms, "run time")
    if slow and slow[0].badness < status.badness and status is not Status.UNKNOWN:
        status, kind, why, said = slow[0], Kind.SLOW, slow[1], ""
    if status is Status.OK:
        said = said or f"exit code {ended.code} in {format_ms(ended.latency_ms)}"
    shown = ": ".join(filter(None, (str(why) if why else "", said)))
    return Outcome(
        status,
        kind,
        shown or f"{_name(check)} said nothing, exit code {ended.code}",
        ended.latency_ms,
        findings=(why,) if why else (),
        observed=observed,
    )


def _unfinished(check: CommandCheck, ended: Ended, said: str, observed: dict[str, Json]) -> Outcome:
    so_far = f"; so far: {said}" if said else ""
    if ended.flooded:
        what = f"{_name(check)} was ended: it wrote more than {FLOOD_BYTES // 2**20} MiB{so_far}"
        return failed(Kind.CONTENT, what, ended.latency_ms, observed=observed)
    what = f"{_name(check)} did not end within {format_duration(ended.latency_ms / 1000)} and was ended{so_far}"
    return failed(Kind.TIMEOUT, what, ended.latency_ms, observed=observed)


def _meaning(check: CommandCheck, code: int) -> tuple[Status, Kind | None, Finding | None]:
    """Return what the exit code says: status, kind, and the finding where the code itself is what is wrong."""
    if check.convention == "exit":
        expected = " or ".join(map(str, check.expect_exit))
        if code in check.expect_exit:
            return Status.OK, None, None
        return Status.FAIL, Kind.STATUS, Finding("exit code", expected, _code_text(code))
    status = _NAGIOS.get(code)
    if status is Status.OK:
        return status, None, None
    if status is Status.UNKNOWN or code in _NOT_RUN:
        return Status.UNKNOWN, Kind.UNCONFIGURED, None
    if status is not None:
        return status, Kind.CONTENT, None
    return Status.FAIL, Kind.STATUS, Finding("exit code", "0 to 3", _code_text(code))


def _code_text(code: int) -> str:
    if code >= 0:
        return str(code)
    try:
        return f"none: ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"none: ended by signal {-code}"


def _wrong_output(check: CommandCheck, ended: Ended, text: str) -> list[Finding]:
    if check.expect_contains is None and check.expect_matches is None:
        return []
    if ended.cut:
        return [Finding("output", f"at most {KEPT_BYTES // 1024} KiB", "longer")]
    findings, start = [], f"{plain(text, 80)!r}"
    if check.expect_contains is not None and check.expect_contains.encode() not in ended.output:
        findings.append(Finding("output", f"to contain {plain(check.expect_contains, 80)!r}", start))
    if check.expect_matches is not None and not _matches(check.expect_matches, ended.output):
        findings.append(Finding("output", f"to match {plain(check.expect_matches, 80)!r}", start))
    return findings


def _matches(pattern: str, output: bytes) -> bool:
    try:
        text = output.decode()
    except UnicodeDecodeError:
        return False
    return compile_pattern(pattern).search(text) is not None


# ---- the output of plugins


def split_output(text: str) -> tuple[str, str]:
    """Return the message, which is the first line that says something, and all performance data as one text."""
    lines = text.strip().splitlines() or [""]
    message, _, first = lines[0].partition("|")
    # In the long text the first bar begins the performance data, which then goes to the end.
    _, _, more = "\n".join(lines[1:]).partition("|")
    return message.strip(), f"{first}\n{more}".strip()[:_PERFDATA_CHARACTERS]


def parse_perfdata(text: str) -> dict[str, Json]:
    """Return metrics by label: `value` (None for `U`), and what there is of `unit`, `warn`, `crit`, `min`, `max`.

    Thresholds stay texts, for they may be ranges. What is no metric is left out, and so is what comes after the first
    few.
    """
    metrics: dict[str, Json] = {}
    for match in _METRIC.finditer(text):
        if len(metrics) == _SHOWN_METRICS:
            break
        quoted, bare, figures = match.groups()
        metric = _metric(figures)
        if metric is not None:
            metrics[plain(bare or (quoted or "").replace("''", "'"), 60)] = metric
    return metrics


def _metric(figures: str) -> dict[str, Json] | None:
    parts = figures.split(";")
    match = _VALUE.fullmatch(parts[0])
    if match is None:
        return None
    value = None if match[1] == "U" else _number(match[1])
    if value is None and match[1] != "U":
        return None
    metric: dict[str, Json] = {"value": value}
    if match[2]:
        metric["unit"] = plain(match[2], 10)
    names = zip(("warn", "crit"), parts[1:3], strict=False)
    metric |= {name: plain(limit, 30) for name, limit in names if limit}
    bounds = zip(("min", "max"), parts[3:5], strict=False)
    metric |= {name: number for name, bound in bounds if (number := _number(bound)) is not None}
    return metric


def _number(text: str) -> float | None:
    """Return the number, with a point or, as some languages write it, a comma."""
    try:
        number = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
