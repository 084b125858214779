"""The `systemd` kind: ask systemctl for a unit's properties, judge its state.

systemctl [--user] show --property=… -- UNIT          Key=value, a line each; see systemd.service(5), systemctl(1)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from monitor.config.kinds.systemd import SystemdCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.bounded import Hanging
from monitor.probes.program import Ended, clean_environment, run_program
from monitor.probes.setting import Setting
from monitor.probes.verdict import failed, unconfigured, verdict
from monitor.units import format_duration, plain

_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainCode", "ExecMainStatus",
    "StateChangeTimestamp",
)  # fmt: skip
# A unit that takes over new settings goes on with its work.
_ALSO_ACTIVE = {"reloading", "refreshing"}
# What runs now would not start again.
_BAD_FILE = {"bad-setting", "error", "not-found"}
_EXITED = "1"


def probe_systemd(check: SystemdCheck, setting: Setting) -> Outcome:
    """Return the verdict on the unit as systemd sees it now."""
    argv = ["systemctl", *(["--user"] if check.user else []), "show", f"--property={','.join(_PROPERTIES)}"]
    try:
        ended = run_program([*argv, "--", check.unit], check.timeout, systemctl_environment(check.user))
    except (FileNotFoundError, PermissionError):
        return unconfigured(
            "systemctl cannot be run here: this machine is not run by systemd, or Greenwall in a container"
        )
    except Hanging as hanging:
        return failed(Kind.TIMEOUT, f"systemctl hangs since {format_duration(hanging.since_s)}")
    if ended.code is None:
        within = format_duration(ended.latency_ms / 1000)
        return failed(Kind.TIMEOUT, f"systemd did not answer within {within}", ended.latency_ms)
    unit = _properties(ended.output)
    if ended.code != 0 or "ActiveState" not in unit:
        return _no_answer(ended)
    return _judge(check, setting, unit, ended.latency_ms)


def systemctl_environment(user: bool) -> dict[str, str]:
    """Return the environment for asking systemd, or (`user`) the one of this user."""
    more = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    if user:
        folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
        more["XDG_RUNTIME_DIR"] = folder
        if bus := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
            more["DBUS_SESSION_BUS_ADDRESS"] = bus
    return clean_environment(more)


def _properties(output: bytes) -> dict[str, str]:
    lines = (line.partition("=") for line in output.decode(errors="replace").splitlines())
    return {key: value.strip() for key, is_pair, value in lines if is_pair}


def _no_answer(ended: Ended) -> Outcome:
    lines = ended.errors.decode(errors="replace").strip().splitlines() or [f"exit code {ended.code}"]
    said = plain(" ".join(lines[:2]), 200)
    if "timed out" in said:
        return failed(Kind.TIMEOUT, f"systemd did not answer: {said}", ended.latency_ms)
    if not Path("/run/systemd/system").is_dir():
        return unconfigured(f"this machine is not run by systemd, or Greenwall in a container ({said})")
    return unconfigured(f"systemctl could not ask systemd: {said}")


# ---- judging


def _judge(check: SystemdCheck, setting: Setting, unit: Mapping[str, str], latency_ms: float) -> Outcome:
    load, state, sub = unit.get("LoadState", ""), unit["ActiveState"], unit.get("SubState", "")
    name = plain(unit.get("Id", check.unit), 120)
    observed = _observed(unit, name)
    findings = _wrong_state(check, unit, name)
    is_missing = load == "not-found" and state == "inactive"
    kind = Kind.CONTENT if is_missing else Kind.STATUS
    warnings = []
    if load in _BAD_FILE and not is_missing:
        warnings.append(Finding(f"file of {name}", "loaded", plain(load, 30)))
    warning_kind = Kind.CONTENT if warnings else Kind.RESOURCE
    memory, restarted = _restarts(check, setting, unit, name)
    warnings += restarted
    shown = "not there, as it should be" if is_missing else f"{plain(state, 30)} ({plain(sub, 30)})"
    return verdict(
        f"{name} is {shown}",
        latency_ms,
        findings=findings,
        kind=kind,
        warnings=warnings,
        warning_kind=warning_kind,
        observed=observed,
        memory=memory,
    )


def _observed(unit: Mapping[str, str], name: str) -> dict[str, Json]:
    observed: dict[str, Json] = {"unit": name}
    for key, shown in (
        ("LoadState", "load"),
        ("ActiveState", "state"),
        ("SubState", "sub_state"),
        ("Result", "result"),
        ("StateChangeTimestamp", "changed_at"),
    ):
        if unit.get(key):
            observed[shown] = plain(unit[key], 40)
    restarts = _count(unit.get("NRestarts"))
    return observed if restarts is None else observed | {"restarts": restarts}


def _wrong_state(check: SystemdCheck, unit: Mapping[str, str], name: str) -> list[Finding]:
    load, state, sub = unit.get("LoadState", ""), unit["ActiveState"], unit.get("SubState", "")
    expected = " or ".join(check.state)
    if load == "not-found" and state == "inactive":
        return [] if "not-found" in check.state else [Finding(name, expected, "not there (not-found)")]
    is_well = state in check.state or (state in _ALSO_ACTIVE and "active" in check.state)
    if not is_well:
        how = ", ".join(filter(None, ("masked" if load == "masked" else "", plain(sub, 30), _how_it_ended(unit))))
        return [Finding(name, expected, f"{plain(state, 30)} ({how})")]
    if check.sub_state and sub not in check.sub_state:
        return [Finding(f"sub state of {name}", plain(" or ".join(check.sub_state), 80), plain(sub, 30) or "none")]
    return []


def _how_it_ended(unit: Mapping[str, str]) -> str:
    """Return why a unit failed: `exit-code, exit code 3`; an empty text when it did not."""
    result = unit.get("Result", "")
    if result in ("", "success"):
        return ""
    status = _count(unit.get("ExecMainStatus"))
    if unit.get("ExecMainCode") == _EXITED:
        ended = f"exit code {status}" if status else ""
    else:
        ended = _signal_name(status) if status else ""
    return ", ".join(filter(None, (plain(result, 40), ended)))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _restarts(
    check: SystemdCheck, setting: Setting, unit: Mapping[str, str], name: str
) -> tuple[dict[str, Json] | None, list[Finding]]:
    """Return what to remember, and the finding that systemd had to start it again since the last verdict."""
    restarts = _count(unit.get("NRestarts"))
    if restarts is None or check.max_restarts is None:
        return None, []
    memory: dict[str, Json] = {"unit": name, "restarts": restarts}
    before = setting.memory.get("restarts")
    # Started by hand, it counts from 0 again.
    if setting.memory.get("unit") != name or not isinstance(before, int) or restarts - before <= check.max_restarts:
        return memory, []
    expected = f"at most {check.max_restarts} since the last verdict"
    return memory, [Finding(f"number of automatic restarts of {name}", expected, str(restarts - before))]


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 12 else None
