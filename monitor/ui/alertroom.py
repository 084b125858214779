"""One alert from near: what is wrong, what to do, who was told and who was not, and what happened since."""

from __future__ import annotations

import re
from datetime import datetime

import streamlit as st

from monitor import timeline
from monitor.alerts import Alert
from monitor.alerts.recommend_table import DEFAULT, TABLE
from monitor.history.snapshot import Snapshot
from monitor.ui import alertacts, alertlist, facts, frame, markup, sections, words
from monitor.ui.facts import Fact
from monitor.ui.shared import views

_COMMAND = re.compile(r"`([^`\n]+)`")
_PROGRAMS = {step.command.split(" ")[0] for row in (*TABLE, DEFAULT) for step in row.steps if step.command}
_MOST = 200


def show(identifier: str, snapshot: Snapshot) -> None:
    """Draw the alert that the address names."""
    st.html(markup.way("← All alerts", "alerts"))
    if views().alert(identifier) is None:
        st.title("Alert", anchor=False)
        st.warning(
            f"No alert has the id {words.md(repr(identifier))}. Alerts that ended are kept as long as results "
            "(retention_days).",
            icon=":material/search_off:",
        )
        return
    _live(identifier)
    alert = views().alert(identifier)
    if alert and alert.is_open and frame.gate("acknowledge, resolve, suppress or silence this alert"):
        _acts(alert, snapshot.checker.timezone)
    if alert:
        _body(alert, snapshot)


@st.fragment(run_every=5)
def _live(identifier: str) -> None:
    """Draw the heading anew by itself."""
    alert, now = views().alert(identifier), views().now()
    if alert is None or now.snapshot is None:
        return
    st.title(words.md(alert.title) + alertlist.members_now(alert, now.snapshot), anchor=False)
    st.markdown(f"{words.alert_badge(alert.status)} {words.severity_badge(alert.severity)}")
    alertlist.texts(alert, now.snapshot)
    st.caption(" · ".join(alertlist.said(alert, now.snapshot.checker.timezone)))


def _acts(alert: Alert, zone: str) -> None:
    note = alertacts.note_of(alert)
    with st.container(horizontal=True):
        took = alertacts.acknowledge_button(alert, "take")
        ended = alertacts.resolve_button(alert)
        alertacts.suppress(alert, note, zone)
        alertacts.silence_button(alert)
    alertacts.act(alert, took, ended, note)


def _body(alert: Alert, snapshot: Snapshot) -> None:
    zone = snapshot.checker.timezone
    if alert.previous:
        st.info(f"**Last time:** {words.md(alert.previous)}", icon=":material/history:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _to_do(alert)
        _told(alert, snapshot, zone)
        _happened(alert, zone)
    with right:
        _facts(alert, snapshot, zone)


def _to_do(alert: Alert) -> None:
    if alert.recommendations or alert.runbook:
        st.subheader("What to do", anchor=False)
    for step in alert.recommendations:
        said, typed = parted(step)
        st.markdown(f"- {words.md(said)}")
        for command in typed:
            st.code(command, language="bash", wrap_lines=True)
    if alert.runbook:
        st.link_button("Runbook", alert.runbook, icon=":material/menu_book:")
    if alert.related_logs:
        st.subheader("Related logs", anchor=False)
        st.code(alert.related_logs, language=None, wrap_lines=True)


def parted(step: str) -> tuple[str, list[str]]:
    """Return what a recommendation says, and the commands in it: within backticks, or what follows a colon."""
    if quoted := _COMMAND.findall(step):
        return _COMMAND.sub(lambda found: found[1], step), quoted
    said, colon, command = step.partition(": ")
    return (said, [command]) if colon and command.split(" ")[0] in _PROGRAMS else (step, [])


def _told(alert: Alert, snapshot: Snapshot, zone: str) -> None:
    st.subheader("Why was I told, or not?", anchor=False)
    known = views()
    rows = timeline.told(alert, snapshot.channels, known.joined, lambda at: words.short(at, zone), known.limit)
    if rows:
        heads = ("channel", "what", "when", "what became of it")
        st.html(markup.table(heads, [_told_row(one, zone) for one in rows[:_MOST]]))
    else:
        st.caption("No channel is known yet.")


def _told_row(one: timeline.Told, zone: str) -> tuple[markup.Cell, ...]:
    when = words.short(one.at, zone) if one.at else ""
    return f"{one.sign} {one.channel}", one.what, when, Fact("", one.outcome)


def _happened(alert: Alert, zone: str) -> None:
    st.subheader("What happened", anchor=False)
    held = timeline.held_before(alert, views().held(alert.resource), views().alerts())
    lines = timeline.story(alert, held, lambda at: words.short(at, zone))
    rows = [(_when(line, zone), Fact("", line.what), line.by) for line in lines[-_MOST:]]
    st.html(markup.table(("when", "what", "by"), rows))
    st.caption(f"Times in {zone}.")
    if len(lines) > _MOST:
        st.caption(f"The last {_MOST} of {len(lines)}; data/alerts.jsonl has all.")


def _when(line: timeline.Line, zone: str) -> str:
    return words.short(line.at, zone) + (f" until {words.short(line.until, zone)}" if line.until else "")


def _facts(alert: Alert, snapshot: Snapshot, zone: str) -> None:
    st.subheader("Facts", anchor=False)
    entry = snapshot.checks.get(alert.resource)
    if entry and alert.source != "manual":
        st.html(markup.table(("check", "status"), [(sections.link(entry), sections.status_of(entry))]))
    st.html(markup.facts(_listed(alert, zone)))
    if alert.metadata:
        st.subheader("Metadata", anchor=False)
        st.html(markup.facts(facts.facts_of(alert.metadata, zone)))


def _listed(alert: Alert, zone: str) -> list[Fact]:
    def moment(at: datetime | None) -> str:
        return words.local(at, zone) if at else ""

    told: dict[str, str] = {
        "About": alert.resource,
        "Type": alert.type,
        "Source": f"{alert.source}, by {alert.by}" if alert.source != "check" else "verdict of a check",
        "Category": alert.category.value,
        "Kind": alert.kind.value if alert.kind else "",
        "Affected users": f"{alert.affected_users:,}" if alert.affected_users is not None else "",
        "Owner": alert.owner or "",
        "Group": alert.group,
        "Tags": ", ".join(alert.tags),
        "Seen": f"{alert.count:,} time{'s' if alert.count != 1 else ''}",
        "Bad since": moment(alert.bad_since) if alert.began_at < alert.opened_at else "",
        "First seen": moment(alert.opened_at),
        "Last seen": moment(alert.seen_at) if alert.seen_at > alert.opened_at else "",
        "Expires": moment(alert.expires_at),
        "Acknowledged": moment(alert.acknowledged_at),
        "Ended": moment(alert.resolved_at),
        "Id": alert.id,
    }
    return [facts.folded(label, value) for label, value in told.items() if value]
