"""The sections of the page of one check, below its charts: each draws what there is, and nothing when there is nothing.

expected and got     what changed     steps, members, pings        left
figures              certificate      seen                         right
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from monitor import charts
from monitor.board import up_of
from monitor.config import CheckBase
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.config.kinds.steps import StepsCheck
from monitor.history.snapshot import CheckEntry, Snapshot
from monitor.model import Flag, Kind, Status
from monitor.pings import Ping
from monitor.ui import cached, facts, markup, words
from monitor.ui.facts import Fact
from monitor.ui.shared import views
from monitor.units import format_duration, utc_now

MOST_ROWS, MOST_RELATED = 50, 8
_NOT_COMPARED: dict[str, str] = {
    Kind.UNCONFIGURED: "Nothing was asked: it is not set up yet. The message above says what is missing.",
    Kind.VANTAGE: "Greenwall itself could not see, so this says nothing of the target.",
    Kind.INTERNAL: "Greenwall's own trouble: nothing was compared.",
}
# What a look at this kind of check is about; told large.
_FIGURES = {
    "queue": ("depth", "consumers", "oldest_age_s", "lag", "pending"),
    "database": ("connections", "replication_lag_s", "rows"),
    "redis": ("memory_percent", "connected_clients", "connected_replicas", "replication_lag_s"),
    "agents": ("idle", "busy", "error", "offline", "depth"),
    "host": ("percent", "free_gib", "available_gib", "per_core", "count", "rss_mib"),
    "icmp": ("received", "loss_percent"),
}
# A figure and how much of it there can be, told as one.
_OF = {"connections": "max_connections", "connected_clients": "max_clients", "received": "sent"}
# They have a section of their own.
_TOLD_ELSEWHERE = frozenset({"findings", "changed", "members", "steps", "skipped"})
_HAVE_THEIR_OWN = frozenset({"group", "heartbeat"})
_OF_HEARTBEAT = frozenset({"state", "last_success_at", "due_at", "run_s", "runs"})
_STATES = {
    "new": "waiting for the first ping",
    "up": "in time",
    "late": "late, within its grace",
    "started": "running",
    "down": "down",
}


def findings(entry: CheckEntry, rows: Sequence[Sequence[Any]], status: Status, kind: str | None, attempts: int) -> None:
    """Say what was expected and got at the newest verdict."""
    # What a group expects of its members is told by its list of them.
    if entry.type == "group":
        return
    st.subheader("Expected and got", anchor=False)
    if rows:
        st.html(
            markup.table(("what", "expected", "got"), [[str(part) for part in row][:3] for row in rows[:MOST_ROWS]])
        )
    elif status is Status.OK:
        st.caption("Everything was as expected.")
    else:
        st.caption(_NOT_COMPARED.get(kind or "", "There was no answer to compare."))
    if attempts > 1:
        st.caption(f"{attempts} probes led to this verdict.")


def changed(entry: CheckEntry, zone: str) -> None:
    """Say how the first bad verdict differs from the last good one, while it fails."""
    good, bad = entry.state.trouble.last_good, entry.state.trouble.first_bad
    # A heartbeat's own section says it; what it observes is only how late it is.
    if bad is None or entry.type == "heartbeat":
        return
    st.subheader("What changed", anchor=False)
    first = f"First bad {words.local(bad.at, zone)}"
    if good is None:
        st.caption(f"{first}. No good verdict since the checker started to compare it with.")
        return
    st.caption(f"Last good {words.local(good.at, zone)} · {first[0].lower()}{first[1:]}")
    # The list of members tells theirs.
    found = [one for one in entry.state.changes if entry.type != "group" or not one.what.startswith("members.")]
    if found:
        rows = [(facts.label_of(one.what), one.before, one.after) for one in found]
        st.html(markup.table(("what", "last good", "first bad"), rows))
    elif entry.state.changes:
        return
    elif set(good.facts) & set(bad.facts):
        st.caption("Nothing that both verdicts tell: " + words.md(", ".join(sorted(set(good.facts) & set(bad.facts)))))
    else:
        st.caption("The two have nothing in common to compare.")


def phases(phases_ms: Mapping[str, float]) -> None:
    """Draw where the time of the newest probe went; nothing when it has no phases."""
    parts = charts.phase_parts(phases_ms)
    if not parts:
        return
    st.subheader("Where the time went", anchor=False)
    st.altair_chart(charts.phases_chart({"": parts}, cached.palette()), width="stretch", key="phases")
    st.caption(" · ".join(f"{words.md(name)} {_ms(ms)}" for name, ms in parts.items()))


def _ms(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 10 else f"{ms:.0f} ms"


def steps(check: CheckBase | None, observed: Mapping[str, Any]) -> None:
    """Draw the requests of a walk one after the other, with what became of each, also of those that were not sent."""
    walked = observed.get("steps")
    if not isinstance(walked, Mapping) or not walked:
        return
    st.subheader("Steps", anchor=False)
    done = {str(name): one for name, one in walked.items() if isinstance(one, Mapping)}
    bars = {name: _parts_of(one) for name, one in done.items() if isinstance(one.get("ms"), (int, float))}
    if bars:
        st.altair_chart(charts.phases_chart(bars, cached.palette()), width="stretch", key="steps")
    rows = [_step_row(name, one) for name, one in done.items()]
    if isinstance(check, StepsCheck):
        rows += [(step.name, "not run", "", "") for step in check.steps if step.name not in done]
    st.html(markup.table(("step", "status", "code", "took"), rows))


def _parts_of(step: Mapping[str, Any]) -> dict[str, float]:
    figures = {str(key): float(value) for key, value in step.items() if isinstance(value, (int, float))}
    figures.pop("code", None)
    total = figures.pop("ms", 0.0)
    return charts.phase_parts(figures | {"total": total}) or {"rest": total}


def _step_row(name: str, step: Mapping[str, Any]) -> tuple[str, str, str, str]:
    status = str(step.get("status") or "")
    sign = words.SIGNS[Status(status)] if status in list(Status) else "?"
    ms = step.get("ms")
    return name, f"{sign} {status}", str(step.get("code") or ""), _ms(ms) if isinstance(ms, (int, float)) else ""


def members(entry: CheckEntry, snapshot: Snapshot, names: Sequence[str], observed: Mapping[str, Any]) -> None:
    """List what a group is made of, the worst first, as it is now."""
    if entry.type != "group":
        return
    st.subheader("Members", anchor=False)
    told = observed.get("members")
    names = names or (list(told) if isinstance(told, Mapping) else [])
    up, known = up_of(snapshot, names, utc_now())
    if not known:
        st.caption("No check is a member.")
        return
    st.caption(f"{up} of {known} are up now (OK or WARN).")
    st.html(markup.table(("check", "status", "message"), _rows(snapshot, names)))
    if known > MOST_ROWS:
        st.caption(f"The worst {MOST_ROWS} of {known}.")


def _rows(snapshot: Snapshot, names: Sequence[str]) -> list[tuple[markup.Cell, ...]]:
    entries = [snapshot.checks[name] for name in names if name in snapshot.checks]
    entries.sort(key=_worst_first)
    return [(link(one), status_of(one), one.state.message) for one in entries[:MOST_ROWS]]


def _worst_first(entry: CheckEntry) -> tuple[int, bool, str, str]:
    rests = not entry.state.flags.isdisjoint((Flag.MAINTENANCE, Flag.PAUSED))
    return entry.state.status.badness, rests, entry.severity.value, entry.name


def link(entry: CheckEntry) -> markup.Link:
    status = entry.state.status
    return markup.Link(entry.name, markup.Sign(words.SIGNS[status], cached.palette().by_status[status.value]))


def status_of(entry: CheckEntry) -> str:
    return " · ".join([entry.state.status.value, *entry.flag_names()])


def related(snapshot: Snapshot, title: str, names: Sequence[str]) -> None:
    """List checks that this one has to do with; nothing when there are none."""
    if not names:
        return
    st.subheader(title, anchor=False)
    rows = [row[:2] for row in _rows(snapshot, names)[:MOST_RELATED]]
    st.html(markup.table(("check", "status"), rows))
    if len(names) > MOST_RELATED:
        st.caption(f"The worst {MOST_RELATED} of {len(names)}.")


def heartbeat(entry: CheckEntry, check: HeartbeatCheck | None, observed: Mapping[str, Any], zone: str) -> None:
    """Say how the job is doing, what it told last, and how it tells."""
    st.subheader("Heartbeat", anchor=False)
    st.html(markup.facts(_heartbeat_facts(check, observed, zone)))
    pings = views().pings(entry.name)
    if pings:
        st.html(markup.table(("ping", "what", "from", "body"), [_ping_row(ping, zone) for ping in pings]))
    else:
        st.caption("No ping has come yet.")
    how_to_ping(check)


def _heartbeat_facts(check: HeartbeatCheck | None, observed: Mapping[str, Any], zone: str) -> list[Fact]:
    state = str(observed.get("state") or "")
    found = [Fact("State", _STATES.get(state, state or "not known"))]
    for label, key in (("Last success", "last_success_at"), ("Next expected", "due_at")):
        if isinstance(observed.get(key), str):
            found.append(Fact(label, facts.moment(observed[key], zone)))
    if check and isinstance(observed.get("due_at"), str):
        found.append(Fact("Late is down at", facts.moment(observed["due_at"], zone, check.grace)))
    if "run_s" in observed:
        found.append(Fact("Last run took", facts.told("run_s", observed["run_s"], zone)))
    if observed.get("runs"):
        found.append(Fact("Under way", str(observed["runs"])))
    if check:
        rule = f"{check.target}, grace {format_duration(check.grace)}"
        longest = f", a run takes at most {format_duration(check.max_run)}" if check.max_run is not None else ""
        found.append(Fact("Schedule", rule + longest))
    return found


def _ping_row(ping: Ping, zone: str) -> tuple[markup.Cell, ...]:
    what = ping.signal.value if ping.exit_status is None else f"{ping.signal.value}, exit status {ping.exit_status}"
    return words.local(ping.at, zone), f"{what} ({ping.why})" if ping.why else what, ping.source, ping.body


def how_to_ping(check: HeartbeatCheck | None) -> None:
    """Show the line that the job runs. The key is not shown: whoever sees this page could ping by it."""
    curl = "curl -fsS -m 10 --retry 5 -o /dev/null" + (" -X POST" if check and check.methods == "post" else "")
    with st.expander("How to ping", icon=":material/terminal:"):
        st.caption("At the end of the job, when it has succeeded. The key is the one in checks.yaml.")
        st.code(f"{curl} {address()}/ping/<key>", language="bash", wrap_lines=True)
        st.caption("`/start` after the key when it begins, `/fail` when it has failed, `/$?` for its exit status.")


def address() -> str:
    """Return where jobs reach this Greenwall: as the configuration has it, else as this page was reached."""
    loaded = views().config()
    known = (loaded.config.general.wall_url if loaded else None) or st.context.url or ""
    parts = urlsplit(known)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "<address of this Greenwall>"


def figures(entry: CheckEntry, observed: Mapping[str, Any], zone: str) -> list[str]:
    """Tell the few numbers that this kind of check is about; return their names."""
    names = [name for name in _FIGURES.get(entry.type, ()) if isinstance(observed.get(name), (int, float))][:5]
    wholes = {name: _OF[name] for name in names if isinstance(observed.get(_OF.get(name, "")), (int, float))}
    if names:
        with st.container(horizontal=True):
            for name in names:
                of = f" of {facts.told(wholes[name], observed[wholes[name]], zone)}" if name in wholes else ""
                told = facts.told(name, observed[name], zone)
                st.metric(facts.label_of(name), told + of, border=True, width="content")
    return [*names, *wholes.values()]


def certificate(observed: Mapping[str, Any]) -> None:
    """Say how long the certificate lasts, and whose it is."""
    sentence = facts.certificate(observed)
    if not sentence:
        return
    st.subheader("Certificate", anchor=False)
    st.text(sentence)
    labels = {"cert_issuer": "Issuer", "cert_names": "Names", "cert_sha256": "SHA-256"}
    shown = [facts.folded(label, str(observed[key])) for key, label in labels.items() if observed.get(key)]
    if shown:
        st.html(markup.facts(shown))


def seen(entry: CheckEntry, observed: Mapping[str, Any], code: int | None, zone: str, told: Sequence[str]) -> None:
    """List what else the probe observed."""
    without = {*told, *_TOLD_ELSEWHERE, *(_OF_HEARTBEAT if entry.type == "heartbeat" else ())}
    without |= {name for name in observed if name.startswith(("cert_", "chain_"))}
    shown = facts.facts_of(observed, zone, without)
    if code is not None and code:
        shown.insert(0, Fact("Code", str(code)))
    if not shown and (told or entry.type in _HAVE_THEIR_OWN):
        return
    st.subheader("Seen", anchor=False)
    if shown:
        st.html(markup.facts(shown))
    else:
        st.caption("This verdict left nothing to show.")
