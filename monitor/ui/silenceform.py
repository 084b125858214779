"""The form that makes a silence or maintenance: whom it means, with a count that follows, from when until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st
from pydantic import ValidationError

from monitor import commands
from monitor.alerts import Alert
from monitor.config import Match, faults, misses
from monitor.history.snapshot import Snapshot
from monitor.model import Category, Json, Severity, Subject
from monitor.ui import frame, words
from monitor.ui.shared import views
from monitor.units import format_duration, utc_now

HOURS = {"30 min": 0.5, "1 h": 1.0, "4 h": 4.0, "1 day": 24.0}
AT, RESOLVED = "at …", "when the alert is over"
_NAMED = 12
_LONGEST_S = 7 * 86400.0


def draw(snapshot: Snapshot, alert: Alert | None, check: str) -> None:
    """Draw the form, filled in for an alert or a check where it comes from one."""
    if not frame.gate("silence checks or put them into maintenance"):
        return
    zone = snapshot.checker.timezone
    if alert:
        st.caption(f"For alert **{words.md(alert.title)}** ({alert.id}).")
    is_maintenance = (
        st.segmented_control("Kind", ["Silence", "Maintenance"], default="Silence", required=True) == "Maintenance"
    )
    st.caption(
        "Maintenance: nobody is told, and the time counts as maintenance instead of down."
        if is_maintenance
        else "Nobody is told of what opens meanwhile. Whoever was told that it broke is told when it is over."
    )
    match = _whom(alert.resource if alert else check)
    covered = _covered(match)
    begins_at, ends_at, until_resolved = _when(zone, alert)
    note = st.text_input("Note", placeholder="why, and who is working on it", max_chars=500)
    problem = _problem(match, begins_at, ends_at, is_maintenance)
    if problem:
        st.caption(f":material/error: {problem}")
    word = "maintenance" if is_maintenance else "silence"
    made = st.button(f"Make this {word}", type="primary", icon=":material/volume_off:", disabled=bool(problem))
    if not covered and not problem:
        st.caption("It means no check of now; alerts of rules and applications of these names are meant, too.")
    if not made:
        return
    if not frame.may_act():
        frame.refused()
        return
    applied = frame.follow(
        lambda: commands.silence(
            views().place, match, ends_at, frame.by(), note, begins_at, until_resolved, maintenance=is_maintenance
        )
    )
    if applied and applied.ok:
        st.rerun()


def _whom(name: str) -> dict[str, Json]:
    """Draw the keys of a match; return those that are filled in."""
    subjects = list(views().subjects().values())
    first, second, third = st.columns(3)
    names = first.multiselect(
        "Name",
        sorted({one.name for one in subjects} | ({name} if name else set())),
        default=[name] if name else None,
        accept_new_options=True,
        placeholder="such as shop-*",
        help="Names of checks, or of what alerts are about; * stands for anything.",
        key=f"whom-name-{name}",
    )
    groups = second.multiselect("Group", _known(subjects, "group"), accept_new_options=True, placeholder="any")
    tags = third.multiselect("Tag", sorted({tag for one in subjects for tag in one.tags}), placeholder="any")
    with st.popover("By severity, type, category or owner", icon=":material/tune:"):
        levels = st.multiselect("Severity", list(Severity), placeholder="any")
        types = st.multiselect("Type", _known(subjects, "type"), accept_new_options=True, placeholder="any")
        categories = st.multiselect("Category", list(Category), placeholder="any")
        owners = st.multiselect("Owner", _known(subjects, "owner"), accept_new_options=True, placeholder="any")
    keys = {"name": names, "group": groups, "tag": tags, "severity": [one.value for one in levels], "type": types}
    keys |= {"category": [one.value for one in categories], "owner": owners}
    return {key: list(values) for key, values in keys.items() if values}


def _known(subjects: list[Subject], key: str) -> list[str]:
    return sorted({str(getattr(one, key)) for one in subjects} - {""})


def _covered(match: Mapping[str, Json]) -> list[str]:
    """Say which checks are meant now; return their names."""
    if not match:
        st.caption("Fill in at least one of these. What is filled in must all fit; of several in one any.")
        return []
    try:
        meant = Match.model_validate(dict(match))
    except ValidationError as error:
        st.error(words.md("; ".join(faults(error, Match))))
        return []
    for miss in misses(meant, views().meant()):
        st.caption(f":orange[:material/warning:] {words.md(miss[0].upper() + miss[1:])}.")
    names = [name for name, subject in views().subjects().items() if meant.covers(subject)]
    shown = ", ".join(words.md(name) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    count = f"{len(names)} check{'s' if len(names) != 1 else ''}"
    st.markdown(f"**Covers {count}**{': ' if names else '.'}{shown}{more}")
    return names


def _when(zone: str, alert: Alert | None) -> tuple[datetime | None, datetime | None, str]:
    """Draw the times; return the beginning (None: now), the end (None: until it is over), the alert of the end."""
    now = utc_now().astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0)
    first, second = st.columns(2)
    with first:
        starts = st.segmented_control("From", ["now", AT], default="now", required=True, key="starts")
        begins_at = _asked(f"Begins ({zone})", now + timedelta(hours=1), zone) if starts == AT else None
    with second:
        ends = [*HOURS, AT, *([RESOLVED] if alert and alert.is_open else [])]
        chosen = st.segmented_control("Until", ends, default=RESOLVED if RESOLVED in ends else "1 h", required=True)
        if chosen == RESOLVED:
            st.caption(f"At most {format_duration(_longest_s())}.")
            return begins_at, None, alert.id if alert else ""
        if chosen == AT:
            return begins_at, _asked(f"Ends ({zone})", now + timedelta(hours=4), zone), ""
    ends_at = (begins_at or utc_now().astimezone(ZoneInfo(zone))) + timedelta(hours=HOURS[chosen])
    st.caption(f"Ends {ends_at:%a %d %b %H:%M %Z}.")
    return begins_at, ends_at, ""


def _asked(label: str, default: datetime, zone: str) -> datetime:
    picked = st.datetime_input(label, value=default.replace(tzinfo=None))
    return picked.replace(tzinfo=ZoneInfo(zone))


def _longest_s() -> float:
    loaded = views().config()
    return loaded.config.general.longest_silence if loaded else _LONGEST_S


def _problem(
    match: Mapping[str, Json], begins_at: datetime | None, ends_at: datetime | None, is_maintenance: bool
) -> str:
    """Return why it cannot be made, empty when it can."""
    now = utc_now()
    if not match:
        return "Without a name, a group or another key it would mean everything."
    if ends_at is None:
        return ""
    if ends_at <= max(begins_at or now, now):
        return "It must end after it begins, and after now."
    if not is_maintenance and ends_at > now + timedelta(seconds=_longest_s() + 60):
        return f"A silence ends within {format_duration(_longest_s())} from now at most (global: longest_silence)."
    return ""
