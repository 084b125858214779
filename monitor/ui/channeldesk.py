"""Channels: which there are, how they do, a test and a preview of each; and an alert that is sent by hand."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from monitor import commands
from monitor.alerts import Alert, What
from monitor.history.snapshot import ChannelInfo, Snapshot
from monitor.model import Severity
from monitor.ui import frame, words
from monitor.ui.shared import views
from monitor.units import format_duration

SIGNS = {What.SENT: "✓ sent", What.GAVE_UP: "✕ not delivered", None: "… on its way"}
PREVIEWED = {"it breaks": "first_fail", "it is over": "recovered", "a reminder": "reminder-1", "several": "several"}
FORMS = {"Text": "text", "Mail (HTML)": "html", "Subject": "subject", "Text message": "short"}
_SEVERAL = 12


def show(snapshot: Snapshot) -> None:
    """Draw each channel with its figures, and what messages look like."""
    if not snapshot.channels:
        st.info("No channel is known: no checker has said which there are yet.", icon=":material/hourglass_empty:")
        return
    acting = frame.gate("test channels")
    configured = [one for one in snapshot.channels if one.configured]
    for channel in configured:
        _channel(channel, acting)
    missing = [one for one in snapshot.channels if not one.configured]
    if missing:
        with st.expander(f"{len(missing)} not configured", icon=":material/settings:"):
            lines = "\n".join(f"- **{words.md(one.name)}**: {words.md(one.problem)}" for one in missing)
            st.markdown(f"{lines}\n\n`.env` beside `checks.yaml` is read again when it is saved.")
    _preview()


def _channel(channel: ChannelInfo, acting: bool) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(gap="xxsmall"):
            sign = ":red-badge[✕ fails]" if channel.trouble else ":green-badge[✓ well]" if channel.sent else ""
            st.markdown(f"**{words.md(channel.name)}** :gray-badge[{words.md(channel.type)}] {sign}")
            st.caption(" · ".join(_figures(channel)))
            if channel.trouble:
                st.caption(f":red[Last failure:] {words.md(channel.trouble)}")
        if acting and st.button("Send a test", key=f"test-{channel.name}", icon=":material/science:"):
            _test(channel)


def _figures(channel: ChannelInfo) -> list[str]:
    told = [f"{channel.sent:,} sent", f"{channel.failed:,} failed", f"{channel.waiting:,} waiting"]
    if channel.sent:
        told.append(f"{format_duration(channel.delay_s / channel.sent)} from queued to sent on average")
    return [*told, "since the checker's start"]


def _test(channel: ChannelInfo) -> None:
    if not frame.may_act():
        frame.refused()
        return
    # A slow mail server has its 15 seconds.
    applied = frame.follow(lambda: commands.test_channel(views().place, channel.name, frame.by()), timeout_s=20)
    if applied and applied.ok:
        st.success(words.md(applied.detail), icon=":material/check:")


def _preview() -> None:
    st.subheader("What a message looks like", anchor=False)
    with st.container(horizontal=True):
        when = st.segmented_control("When", list(PREVIEWED), default="it breaks", required=True)
        form = st.segmented_control("As", list(FORMS), default="Text", required=True)
    count = _SEVERAL if PREVIEWED[when] == "several" else 1
    shown = views().preview("first_fail" if count > 1 else PREVIEWED[when], count)[FORMS[form]]
    if form == "Mail (HTML)":
        st.iframe(shown, height=600)
    else:
        st.code(shown, language=None, wrap_lines=True)
    st.caption("Of made-up alerts. Templates of your own stand in messages/ beside checks.yaml.")


# ---- by hand


def receipts(alert: Alert) -> None:
    """Say what each channel answered to the opening of this alert."""
    for sent in alert.notifications.values():
        say = st.success if sent.ended is What.SENT else st.warning
        say(
            f"**{words.md(sent.channel)}** {SIGNS.get(sent.ended, '…')}"
            + (f": {words.md(sent.detail)}" if sent.detail else "")
        )


@st.fragment(run_every=2)
def show_receipts(identifier: str) -> None:
    alert = views().alert(identifier)
    if alert:
        receipts(alert)


def send_by_hand(snapshot: Snapshot) -> None:
    if not frame.gate("send an alert"):
        return
    with st.form("manual", clear_on_submit=False):
        left, right = st.columns([2, 1])
        service = left.selectbox(
            "Service", list(snapshot.checks), index=None, accept_new_options=True, placeholder="a check, or any name"
        )
        severity = right.selectbox("Severity", list(Severity), index=1, format_func=lambda s: f"{s.value} {s.word}")
        message = st.text_area("Message", max_chars=2000, placeholder="what people need to know, and what to do")
        chosen = _channels(snapshot.channels)
        st.caption("Without a channel it goes by route, else to every one that is configured, else to the console.")
        sent = st.form_submit_button("Send alert", type="primary", icon=":material/send:")
    if sent:
        send(service, severity or Severity.P2, message, chosen)
    if st.session_state.get("manual_alert"):
        show_receipts(st.session_state["manual_alert"])


def _channels(channels: Sequence[ChannelInfo]) -> list[str]:
    """Draw the channels, those that cannot send folded; return the names of the chosen."""
    configured = [one.name for one in channels if one.configured]
    missing = [one.name for one in channels if not one.configured]
    chosen = st.pills("Channels", configured, selection_mode="multi")
    if not missing:
        return chosen
    with st.expander(f"{len(missing)} not configured"):
        lacking = st.pills("A receipt says what is missing", missing, selection_mode="multi", key="not-configured")
    return [*chosen, *lacking]


def send(service: str | None, severity: Severity, message: str, chosen: list[str]) -> None:
    if not frame.may_act():
        frame.refused()
    elif not service or not message.strip():
        st.error(f"{'A service' if not service else 'A message'} is missing: say what this alert is about.")
    else:
        place, by = views().place, frame.by()
        applied = frame.follow(lambda: commands.send_alert(place, service, severity, message, chosen, by))
        if applied and applied.alert:
            st.session_state["manual_alert"] = applied.alert
