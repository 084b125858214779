"""Alerts: what is open and what was, who has it, who was told; and an alert sent by hand, with every receipt."""

import streamlit as st

from monitor import commands
from monitor.alerts import Alert, AlertStatus, What
from monitor.history.snapshot import ChannelInfo, Snapshot
from monitor.model import Severity
from monitor.ui import frame, markup, sections, words
from monitor.ui.shared import views
from monitor.units import clip, format_duration, seconds_between, utc_now

SHOWN, HELD_SHOWN = 50, 100
SIGNS = {What.SENT: "✓ sent", What.GAVE_UP: "✕ not delivered", None: "… on its way"}


def card(alert: Alert, zone: str, acting: bool) -> None:
    """Draw one line of an alert, with all that is known of it below, and what is done to it most beside it."""
    title = words.md(clip(alert.title, 80))
    badges = f"{words.alert_badge(alert.status)} {words.severity_badge(alert.severity)}"
    with st.container(horizontal=True, gap="small"):
        with st.expander(f"{badges} **{title}** :gray[{words.md(lasting(alert))}]"):
            st.text(alert.message)
            st.caption(" · ".join(facts(alert, zone)))
            note = note_of(alert) if alert.is_open and acting else ""
            ended = alert.is_open and acting and st.button("Resolve", key=f"end-{alert.id}", icon=":material/check:")
            timeline(alert, zone)
        if alert.is_open and acting:
            is_taken = alert.status is AlertStatus.ACKNOWLEDGED
            took = st.button("Acknowledge", key=f"ack-{alert.id}", icon=":material/back_hand:", disabled=is_taken)
            act(alert, took, ended, note)


def note_of(alert: Alert) -> str:
    return st.text_input(
        "Note", key=f"note-{alert.id}", placeholder="Note: what you found, or did", label_visibility="collapsed"
    )


def act(alert: Alert, took: bool, ended: bool, note: str) -> None:
    if not (took or ended):
        return
    if not frame.may_act():
        frame.refused()
        return
    command = commands.acknowledge if took else commands.resolve
    applied = frame.follow(command(views().place, alert.id, frame.by(), note))
    if applied and applied.ok:
        st.rerun()


def lasting(alert: Alert) -> str:
    lasted = format_duration(seconds_between(alert.opened_at, alert.resolved_at or utc_now()))
    return f"{'for' if alert.is_open else 'lasted'} {lasted}"


def facts(alert: Alert, zone: str) -> list[str]:
    said = [alert.category.value, f"opened {words.local(alert.opened_at, zone)}", lasting(alert)]
    if alert.acknowledged_by:
        said.append(f"taken by {words.md(alert.acknowledged_by)}")
    elif alert.is_open:
        said.append("**nobody has it yet**")
    if alert.resolution:
        said.append(f"{words.md(alert.resolution)}")
    if alert.owner:
        said.append(f"owner {words.md(alert.owner)}")
    if alert.runbook:
        said.append(f"[runbook]({alert.runbook})")
    return said


def timeline(alert: Alert, zone: str) -> None:
    for event in alert.events:
        channel = f" to {event.data['channel']}" if event.data.get("channel") else ""
        what = f"{event.what.value.replace('_', ' ')}{channel}"
        note = f": {event.note}" if event.note else ""
        st.text(f"{words.local(event.at, zone)}  {what} by {event.by}{note}")


def receipts(alert: Alert) -> None:
    """Say what each channel answered to the opening of this alert."""
    for sent in alert.notifications.values():
        say = st.success if sent.ended is What.SENT else st.warning
        say(
            f"**{words.md(sent.channel)}** {SIGNS.get(sent.ended, '…')}"
            + (f": {words.md(sent.detail)}" if sent.detail else "")
        )


def channel_label(channel: ChannelInfo) -> str:
    return channel.name if channel.configured else f"{channel.name} (unconfigured)"


@st.fragment(run_every=2)
def show_receipts(identifier: str) -> None:
    alert = views().alert(identifier)
    if alert:
        receipts(alert)


def send_by_hand(snapshot: Snapshot) -> None:
    if not frame.gate("send an alert"):
        return
    channels = {channel.name: channel for channel in snapshot.channels}
    with st.form("manual", clear_on_submit=False):
        left, right = st.columns([2, 1])
        service = left.selectbox(
            "Service", list(snapshot.checks), index=None, accept_new_options=True, placeholder="a check, or any name"
        )
        severity = right.selectbox("Severity", list(Severity), index=1, format_func=lambda s: f"{s.value} {s.word}")
        message = st.text_area("Message", max_chars=2000, placeholder="what people need to know, and what to do")
        chosen = st.pills(
            "Channels", list(channels), selection_mode="multi", format_func=lambda name: channel_label(channels[name])
        )
        st.caption("Without a channel it goes to every one that is configured, else to the console.")
        sent = st.form_submit_button("Send alert", type="primary", icon=":material/send:")
    if sent:
        send(service, severity, message, chosen)
    if st.session_state.get("manual_alert"):
        show_receipts(st.session_state["manual_alert"])
    unconfigured = [f"- **{words.md(c.name)}**: {words.md(c.problem)}" for c in snapshot.channels if not c.configured]
    if unconfigured:
        with st.expander(f"{len(unconfigured)} channels are not configured"):
            st.markdown("\n".join(unconfigured) + "\n\n`.env` beside `checks.yaml` is read again when it is saved.")


def send(service: str | None, severity: Severity, message: str, chosen: list[str]) -> None:
    if not frame.may_act():
        frame.refused()
    elif not service or not message.strip():
        st.error(f"{'A service' if not service else 'A message'} is missing: say what this alert is about.")
    else:
        identifier = commands.send_alert(views().place, service, severity, message, chosen, frame.by())
        applied = frame.follow(identifier)
        if applied and applied.alert:
            st.session_state["manual_alert"] = applied.alert


def worst_first(alert: Alert) -> tuple[str, bool, float]:
    return alert.severity.value, alert.status is AlertStatus.ACKNOWLEDGED, -alert.opened_at.timestamp()


def filtered(alerts: list[Alert], snapshot: Snapshot, key: str) -> list[Alert]:
    """Return the alerts that the filters leave."""
    with st.container(horizontal=True):
        asked = st.text_input(
            "Search", key=f"search-{key}", placeholder="name, group or message", icon=":material/search:", width=320
        )
        severities = [one for one in Severity if any(alert.severity is one for alert in alerts)]
        statuses = [one for one in AlertStatus if any(alert.status is one for alert in alerts)]
        levels = st.pills("Severity", severities, selection_mode="multi", key=f"severity-{key}", width="content")
        stages = st.pills("Status", statuses, selection_mode="multi", key=f"status-{key}", width="content")
    wanted = asked.lower().split()
    return [
        alert
        for alert in alerts
        if (not levels or alert.severity in levels)
        and (not stages or alert.status in stages)
        and all(word in searched_in(alert, snapshot) for word in wanted)
    ]


def searched_in(alert: Alert, snapshot: Snapshot) -> str:
    entry = snapshot.checks.get(alert.resource)
    return "\n".join([alert.title, alert.resource, alert.message, entry.group if entry else ""]).lower()


def listed(alerts: list[Alert], snapshot: Snapshot, acting: bool, key: str) -> None:
    shown = filtered(alerts, snapshot, key)
    if not shown:
        st.info("No alert matches these filters.", icon=":material/filter_alt_off:")
    with st.container(gap="xsmall"):
        for alert in shown[:SHOWN]:
            card(alert, snapshot.checker.timezone, acting)
    if len(shown) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(shown)}. Search or filter for the others.")


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


snapshot = frame.open_page("Alerts")
alerts = views().alerts()
now_open = sorted((alert for alert in alerts if alert.is_open), key=worst_first)
past = [alert for alert in alerts if not alert.is_open]
open_tab, past_tab, send_tab = st.tabs([f"Open ({len(now_open)})", f"Past ({len(past)})", "Send an alert"])
with open_tab:
    if now_open:
        listed(now_open, snapshot, frame.gate("acknowledge or resolve alerts"), "open")
    else:
        st.info("No alert is open.", icon=":material/check_circle:")
    held_back(snapshot)
with past_tab:
    if past:
        listed(past, snapshot, False, "past")
    else:
        st.info("No alert has ended yet.", icon=":material/check_circle:")
with send_tab:
    send_by_hand(snapshot)
