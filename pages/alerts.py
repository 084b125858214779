"""Alerts: what is open and what was, who has it, who was told; and an alert sent by hand, with every receipt."""

import streamlit as st

from monitor import commands
from monitor.alerts import Alert, AlertStatus, What
from monitor.history.snapshot import ChannelInfo, Snapshot
from monitor.model import Severity
from monitor.ui import frame, markup, sections, words
from monitor.ui.shared import views
from monitor.units import format_duration, seconds_between, utc_now

PAST_SHOWN, HELD_SHOWN = 50, 100
SIGNS = {What.SENT: "✓ sent", What.GAVE_UP: "✕ not delivered", None: "… on its way"}


def card(alert: Alert, zone: str, acting: bool) -> None:
    with st.container(border=True):
        st.markdown(
            f"{words.alert_badge(alert.status)} {words.severity_badge(alert.severity)} "
            f":gray-badge[{alert.category.value}] **{words.md(alert.title)}**"
        )
        st.text(alert.message)
        st.caption(" · ".join(facts(alert, zone)))
        if alert.is_open and acting:
            buttons(alert)
        with st.expander("What happened, and who was told"):
            timeline(alert, zone)


def facts(alert: Alert, zone: str) -> list[str]:
    lasted = format_duration(seconds_between(alert.opened_at, alert.resolved_at or utc_now()))
    said = [f"opened {words.local(alert.opened_at, zone)}", f"{'for' if alert.is_open else 'lasted'} {lasted}"]
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


def buttons(alert: Alert) -> None:
    is_taken = alert.status is AlertStatus.ACKNOWLEDGED
    with st.container(horizontal=True):
        note = st.text_input(
            "Note", key=f"note-{alert.id}", placeholder="Note: what you found, or did", label_visibility="collapsed"
        )
        took = st.button("Acknowledge", key=f"ack-{alert.id}", icon=":material/back_hand:", disabled=is_taken)
        ended = st.button("Resolve", key=f"end-{alert.id}", icon=":material/check_circle:")
    if not (took or ended):
        return
    if not frame.may_act():
        frame.refused()
        return
    command = commands.acknowledge if took else commands.resolve
    applied = frame.follow(command(views().place, alert.id, frame.by(), note))
    if applied and applied.ok:
        st.rerun()


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
    if not frame.gate():
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


def listed(alerts: list[Alert], zone: str, acting: bool, nothing: str) -> None:
    if not alerts:
        st.info(nothing, icon=":material/check_circle:")
    for alert in alerts:
        card(alert, zone, acting)


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
zone, alerts = snapshot.checker.timezone, views().alerts()
now_open = [alert for alert in alerts if alert.is_open]
past = [alert for alert in alerts if not alert.is_open]
open_tab, past_tab, send_tab = st.tabs([f"Open ({len(now_open)})", f"Past ({len(past)})", "Send an alert"])
with open_tab:
    acting = frame.gate() if now_open else False
    listed(now_open, zone, acting, "No alert is open.")
    held_back(snapshot)
with past_tab:
    listed(past[:PAST_SHOWN], zone, False, "No alert has ended yet.")
    if len(past) > PAST_SHOWN:
        st.caption(f"The newest {PAST_SHOWN} of {len(past)}; data/alerts.jsonl has all.")
with send_tab:
    send_by_hand(snapshot)
