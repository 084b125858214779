"""Lists of alerts: what is open, the worst first, and what is over; filters that stand in the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import streamlit as st

from monitor import timeline
from monitor.alerts import Alert, AlertStatus
from monitor.history.snapshot import Snapshot
from monitor.model import Severity, Status
from monitor.silences import Silence, quiet
from monitor.ui import alertacts, markup, sections, words
from monitor.ui.shared import views
from monitor.units import clip, format_duration, seconds_between, utc_now

SHOWN, HELD_SHOWN, OF_CHECK_SHOWN = 50, 100, 8
DAYS = {"24 h": 1, "7 days": 7, "30 days": 30}
ALL = "all"
_UNTOLD = ":material/notifications_off:"
_ICONS = {AlertStatus.ACKNOWLEDGED: ":material/back_hand:"}


def worst_first(alert: Alert) -> tuple[str, bool, float]:
    return alert.severity.value, alert.status is not AlertStatus.ACTIVE, -alert.opened_at.timestamp()


def lasting(alert: Alert) -> str:
    lasted = format_duration(seconds_between(alert.began_at, alert.resolved_at or utc_now()))
    return f"{'for' if alert.is_open else 'lasted'} {lasted}"


def said(alert: Alert, zone: str) -> list[str]:
    """Return what is to be known of an alert at a glance."""
    parts = [alert.category.value, f"opened {words.local(alert.opened_at, zone)}", lasting(alert)]
    if alert.acknowledged_by:
        parts.append(f"taken by {words.md(alert.acknowledged_by)}")
    elif alert.is_open:
        # What nobody is told of is not for anybody to jump at.
        parts.append("nobody has it yet" if alert.untold or alert.suppressed_until else "**nobody has it yet**")
    if alert.suppressed_until:
        parts.append(f"suppressed until {words.local(alert.suppressed_until, zone)}")
    elif alert.is_open and alert.untold:
        parts.append(f"nobody is told: {words.md(alert.untold)}")
    if alert.count > 1:
        parts.append(f"seen {alert.count:,} times")
    if alert.resolution:
        parts.append(words.md(alert.resolution))
    if alert.still:
        parts.append(f"**it still {'warned' if alert.still == Status.WARN else 'failed'} then**")
    if alert.owner:
        parts.append(f"owner {words.md(alert.owner)}")
    return parts


def unheard(alert: Alert, holding: Sequence[Silence], zone: str) -> str:
    """Return in a few words why nobody is told more of an open alert now; empty where somebody is."""
    if alert.suppressed_until:
        return f"suppressed until {words.until(alert.suppressed_until, zone)}"
    if alert.acknowledged_by:
        return f"taken by {clip(alert.acknowledged_by, 30)}"
    hushed = quiet(alert.subject, holding, utc_now()) if alert.source != "manual" else None
    if hushed:
        word = "in maintenance" if hushed.silence.is_maintenance else "silenced"
        return f"{word} until {words.until(hushed.until, zone)}"
    if alert.untold:
        return f"nobody is told: {clip(timeline.reason_words(alert.untold), 60)}"
    waiting = [one.not_before for one in alert.notifications.values() if one.not_before and not one.ended]
    # Somebody else may have been told meanwhile, by a route without quiet hours.
    if waiting and len(waiting) == len(alert.notifications):
        return f"quiet hours until {words.until(min(waiting), zone)}"
    return ""


def present(alert: Alert, snapshot: Snapshot) -> str:
    """Return what the check of an open alert says now; empty where that is what it said when the alert opened."""
    entry = snapshot.checks.get(alert.resource) if alert.is_open and alert.source == "check" else None
    return entry.state.message if entry and not alert.message.startswith(entry.state.message) else ""


def members_now(alert: Alert, snapshot: Snapshot) -> str:
    """Return how many members of a group are down now, where its title says how many it were at the opening."""
    entry = snapshot.checks.get(alert.resource) if alert.is_open and alert.source == "check" else None
    facts = entry.state.bad.facts if entry and entry.is_group and entry.state.is_down and entry.state.bad else {}
    counted = f"{facts.get('members_down')} of {facts.get('members_in_all')}"
    return f" (now {counted})" if facts.get("members_down") and f" {counted} " not in alert.title else ""


def unheard_of(alert: Alert, snapshot: Snapshot) -> str:
    """Return that the check of a resolved alert is bad still and that nobody is told; empty where that is not so."""
    entry = snapshot.checks.get(alert.resource) if alert.still and alert.resolved_at else None
    if not entry or not entry.state.note or not alert.resolved_at or entry.state.since > alert.resolved_at:
        return ""
    return f"{entry.name} still {'fails' if entry.state.is_down else 'warns'}: {entry.state.note}."


def texts(alert: Alert, snapshot: Snapshot) -> None:
    """Draw what is wrong: as it was told, and as it is now where that is something else."""
    if now := present(alert, snapshot):
        st.text(f"At opening: {alert.message}")
        st.text(f"Now: {now}")
    else:
        st.text(alert.message)
    if unheard := unheard_of(alert, snapshot):
        st.warning(words.md(unheard), icon=":material/notifications_off:")


def line(alert: Alert, snapshot: Snapshot, holding: Sequence[Silence]) -> str:
    """Return what a closed row says, as Markdown; on a laptop it is one line."""
    zone = snapshot.checker.timezone
    badges = f"{words.alert_badge(alert.status)} {words.severity_badge(alert.severity)}"
    if not alert.is_open:
        when = f"{words.short(alert.opened_at, zone)}, {lasting(alert)}"
        return f"{badges} **{words.md(clip(alert.title, 80))}** :gray[{words.md(when)}]"
    why = unheard(alert, holding, zone)
    title = words.md(clip(alert.title, 50 if why else 80)) + members_now(alert, snapshot)
    icon = _ICONS.get(alert.status, _UNTOLD)
    # A line of a phone must not end between a number and its unit.
    lasts = words.md(lasting(alert)).replace(" ", "\u00a0")
    why = words.md(why).replace(" until ", " until\u00a0")
    return f"{badges} **{title}** :gray[{lasts}{f' · {icon} {why}' if why else ''}]"


def card(alert: Alert, snapshot: Snapshot, holding: Sequence[Silence], acting: bool) -> None:
    """Draw one line of an alert, with the short of it below, and what is done to it most beside it."""
    with st.container(horizontal=True, gap="small"):
        with st.expander(line(alert, snapshot, holding)):
            texts(alert, snapshot)
            st.caption(" · ".join(said(alert, snapshot.checker.timezone)))
            if alert.previous:
                st.caption(f"Last time: {words.md(alert.previous)}")
            note = alertacts.note_of(alert) if alert.is_open and acting else ""
            with st.container(horizontal=True, vertical_alignment="center"):
                ended = alert.is_open and acting and alertacts.resolve_button(alert)
                # Streamlit's own link to the page that one is on leaves the address as it is.
                st.html(markup.way("Everything about it →", "alerts", alert=alert.id), width="content")
        if alert.is_open and acting:
            alertacts.act(alert, alertacts.acknowledge_button(alert), ended, note)


def filtered(alerts: Sequence[Alert], snapshot: Snapshot, key: str) -> list[Alert]:
    """Draw the filters, which the address keeps; return the alerts that they leave."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        asked = st.text_input(
            "Search",
            key=f"search-{key}",
            placeholder="name, group or message",
            icon=":material/search:",
            width=320,
            bind="query-params",
        )
        levels = _pills("Severity", key, [one for one in Severity if any(alert.severity is one for alert in alerts)])
        stages = _pills("Status", key, [one for one in AlertStatus if any(alert.status is one for alert in alerts)])
        with st.popover("More", icon=":material/tune:"):
            groups = _choice("Group", key, [group_of(alert, snapshot) for alert in alerts])
            tags = _choice("Tag", key, [tag for alert in alerts for tag in alert.tags])
            owners = _choice("Owner", key, [alert.owner or "" for alert in alerts])
    wanted = asked.lower().split()
    keeps: list[Callable[[Alert], bool]] = [
        lambda alert: not levels or alert.severity in levels,
        lambda alert: not stages or alert.status in stages,
        lambda alert: not groups or group_of(alert, snapshot) in groups,
        lambda alert: not tags or not set(tags).isdisjoint(alert.tags),
        lambda alert: not owners or alert.owner in owners,
        lambda alert: all(word in searched_in(alert, snapshot) for word in wanted),
    ]
    return [alert for alert in alerts if all(keep(alert) for keep in keeps)]


def _pills(label: str, key: str, options: list[str]) -> list[str]:
    name = f"{label.lower()}-{key}"
    return st.pills(label, options, selection_mode="multi", key=name, width="content", bind="query-params")


def _choice(label: str, key: str, values: Sequence[str]) -> list[str]:
    known = sorted(set(filter(None, values)), key=str.lower)
    return st.multiselect(label, known, key=f"{label.lower()}-{key}", placeholder="all", bind="query-params")


def group_of(alert: Alert, snapshot: Snapshot) -> str:
    entry = snapshot.checks.get(alert.resource)
    return alert.group or (entry.group if entry else "")


def searched_in(alert: Alert, snapshot: Snapshot) -> str:
    parts = [alert.id, alert.title, alert.resource, alert.message, alert.type, group_of(alert, snapshot)]
    return "\n".join([*parts, *alert.tags]).lower()


def listed(alerts: Sequence[Alert], snapshot: Snapshot, acting: bool, key: str) -> None:
    shown = filtered(alerts, snapshot, key)
    if not shown:
        st.info("No alert matches these filters.", icon=":material/filter_alt_off:")
    holding = views().holding()
    with st.container(gap="xsmall"):
        for alert in shown[:SHOWN]:
            card(alert, snapshot, holding, acting)
    if len(shown) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(shown)}. Search or filter for the others.")


def past(alerts: Sequence[Alert], snapshot: Snapshot) -> None:
    """Draw what is over, the newest first."""
    if not alerts:
        st.info("No alert has ended yet.", icon=":material/check_circle:")
        return
    chosen = st.segmented_control(
        "Ended within", [*DAYS, ALL], default=ALL, required=True, key="within", bind="query-params"
    )
    since = utc_now() - timedelta(days=DAYS[chosen]) if chosen in DAYS else None
    listed([one for one in alerts if since is None or (one.resolved_at or since) >= since], snapshot, False, "past")


def of_check(name: str, zone: str) -> None:
    """List the last alerts of a check, with what people noted when they resolved them; nothing when it had none."""
    mine = [alert for alert in views().alerts() if alert.resource == name and alert.source != "manual"]
    if not mine:
        return
    st.subheader("Alerts", anchor=False)
    for alert in mine[:OF_CHECK_SHOWN]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badges = f"{words.alert_badge(alert.status)} {words.severity_badge(alert.severity)}"
            noted = f" · {words.md(clip(alert.resolution, 200))}" if alert.resolution else ""
            st.markdown(f"{badges} {words.md(clip(alert.title, 80))}", width="content")
            st.caption(f"{words.local(alert.opened_at, zone)}, {lasting(alert)}{noted}", width="content")
            st.page_link(
                alertacts.PAGES / "alerts.py",
                label="Open",
                icon=":material/arrow_forward:",
                query_params={"alert": alert.id},
            )
    if len(mine) > OF_CHECK_SHOWN:
        st.caption(f"The last {OF_CHECK_SHOWN} of {len(mine)}; the alerts page has all.")


def held_back(snapshot: Snapshot) -> None:
    """Say which failures open no alert, and why."""
    held = [entry for entry in snapshot.checks.values() if entry.state.is_down and entry.state.note]
    if not held:
        return
    with st.expander(f"{len(held)} failing without an alert", icon=":material/notifications_paused:"):
        rows = [(sections.link(entry), entry.state.note) for entry in held[:HELD_SHOWN]]
        st.html(markup.table(("check", "why"), rows))
        if len(held) > HELD_SHOWN:
            st.caption(f"The first {HELD_SHOWN} of {len(held)}.")
