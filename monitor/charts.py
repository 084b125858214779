"""Charts of the pages, in Altair. Pure: frames in, charts out.

Colours are those of the wall; what was not watched is grey, and no line is drawn across a gap. Times are drawn in
the zone that is given: frames come in UTC, Altair gets the wall-clock time of the zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import altair as alt
import pandas as pd

from monitor.ledger import MAINTENANCE
from monitor.model import Flag, Status

NOT_WATCHED = "not watched"
_ORDER = [Status.FAIL.value, Status.WARN.value, MAINTENANCE, Status.OK.value, Status.UNKNOWN.value, NOT_WATCHED]
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AXIS_FORMS = ((900, "%H:%M:%S"), (2 * 86400, "%H:%M"), (14 * 86400, "%a %d %b"))
_LEFT_PX = 48
Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class Palette:
    """Colours by status, of lines and texts, and a scale of one hue from few to many that tells by lightness alone."""

    by_status: Mapping[str, str]
    line: str
    muted: str
    grid: str
    few_to_many: tuple[str, ...]


# Not the colours of a status; they hold on light and on dark ground.
_PHASES = {
    "dns": ("name", "#8d9db0"),
    "connect": ("connect", "#4f8fd0"),
    "tls": ("TLS", "#8f79c9"),
    "login": ("log in", "#b0739f"),
    "ttfb": ("first byte", "#2f9fae"),
    "query": ("query", "#2f9fae"),
    "ping": ("ping", "#2f9fae"),
}
_REST = ("rest", "#66788a")
_OTHER_COLOURS = ("#c08552", "#7f8f3f", "#a0617a")
DARK = Palette(
    {"OK": "#37c98b", "WARN": "#f2b53a", "FAIL": "#ff5a5f", "UNKNOWN": "#5c6b78", NOT_WATCHED: "#1f262d"}
    | {MAINTENANCE: "#6ea8fe"},
    line="#9fb3c4",
    muted="#8b98a5",
    grid="#1c242b",
    few_to_many=("#19212a", "#1d3f63", "#2f6fad", "#74abe2", "#d3e7fb"),
)
LIGHT = Palette(
    {"OK": "#0d8a5a", "WARN": "#c98500", "FAIL": "#c91f27", "UNKNOWN": "#8794a0", NOT_WATCHED: "#dde3e8"}
    | {MAINTENANCE: "#2b65d9"},
    line="#46525d",
    muted="#5c6b78",
    grid="#e3e8ec",
    few_to_many=("#eaeff3", "#b5d2ee", "#6ba3d6", "#2a6cab", "#0c3763"),
)


def wall_clock(times: pd.Series[Any], timezone: str) -> pd.Series[Any]:
    """Return UTC times as the zone's wall-clock time, without a zone: Altair draws them as they stand."""
    clock: pd.Series[Any] = times.dt.tz_convert(timezone).dt.tz_localize(None)
    return clock


def clock_span(since: datetime, until: datetime, timezone: str) -> Span:
    """Return the time to be drawn as the zone's wall-clock time."""
    begin, end = (pd.Timestamp(at).tz_convert(timezone).tz_localize(None) for at in (since, until))
    return begin, end


def booked(results: pd.DataFrame) -> pd.DataFrame:
    """Return a results frame in which verdicts during maintenance have MAINTENANCE as their status."""
    flags = results["flags"].map(lambda flags: flags is not None and Flag.MAINTENANCE.value in flags)
    return results.assign(status=results["status"].mask(flags.astype(bool), MAINTENANCE))


def latency_chart(results: pd.DataFrame, timezone: str, span: Span, every_s: float, palette: Palette) -> Any:
    """Return latency over the span from a results frame, with a mark for each verdict that is not OK.

    The line breaks where no verdict came for more than three intervals.
    """
    frame = results[["at", "latency_ms", "status", "message"]].dropna(subset=["latency_ms"]).sort_values("at")
    gaps = (frame["at"].diff().dt.total_seconds() > 3 * every_s).cumsum()
    frame = frame.assign(at=wall_clock(frame["at"], timezone), piece=gaps)
    x = alt.X("at:T", title=None, scale=_time_scale(span), axis=_span_axis(span))
    y = alt.Y("latency_ms:Q", title="ms", scale=alt.Scale(zero=True, nice=True), axis=_left_axis())
    tips = [
        alt.Tooltip("at:T", title="at", format="%Y-%m-%d %H:%M:%S"),
        alt.Tooltip("latency_ms:Q", title="ms", format=".1f"),
        alt.Tooltip("status:N"),
        alt.Tooltip("message:N"),
    ]
    line = alt.Chart(frame).mark_line(strokeWidth=1.5, color=palette.line).encode(x=x, y=y, detail="piece:N")
    marks = (
        alt.Chart(frame)
        .mark_circle(opacity=1)
        .encode(
            x=x,
            y=y,
            color=_status_colour(palette),
            size=alt.condition(alt.datum.status == "OK", alt.value(12), alt.value(60)),
            tooltip=tips,
        )
    )
    return _dressed(alt.layer(line, marks).properties(height=240), palette)


def status_strip(results: pd.DataFrame, timezone: str, span: Span, palette: Palette) -> Any:
    """Return the span as a band coloured by status: each verdict covers the seconds before it that it stands for.

    Its left edge is that of the latency's chart, so that one can be read below the other.
    """
    frame = booked(results)[["at", "status", "covers_s", "message"]].sort_values("at")
    end = wall_clock(frame["at"], timezone)
    # The first verdict after a gap covers nothing; it still shows as a hair.
    begin = end - pd.to_timedelta(frame["covers_s"].clip(lower=1), unit="s")
    frame = frame.assign(end=end, begin=begin.where(begin > span[0], span[0]), row="")
    chart = (
        alt.Chart(frame)
        .mark_bar(clip=True)
        .encode(
            x=alt.X("begin:T", title=None, scale=_time_scale(span), axis=_span_axis(span)),
            x2="end:T",
            y=alt.Y("row:N", title=" ", scale=alt.Scale(padding=0), axis=_left_axis(shown=False)),
            color=_status_colour(palette),
            tooltip=[
                alt.Tooltip("begin:T", title="from", format="%H:%M:%S"),
                alt.Tooltip("end:T", title="to", format="%H:%M:%S"),
                alt.Tooltip("status:N"),
                alt.Tooltip("message:N"),
            ],
        )
    )
    return _dressed(chart.properties(height=72), palette)


def phase_parts(phases_ms: Mapping[str, float]) -> dict[str, float]:
    """Return the phases of a probe in their order under the names for people, and the rest up to `total`.

    Empty when there are not at least two: then the latency says it all.
    """
    known = [phase for phase in _PHASES if phase in phases_ms]
    others = [phase for phase in phases_ms if phase not in _PHASES and phase != "total"]
    if len(known) + len(others) < 2:
        return {}
    parts = {_PHASES[phase][0]: phases_ms[phase] for phase in known} | {phase: phases_ms[phase] for phase in others}
    rest = phases_ms.get("total", 0.0) - sum(parts.values())
    # What is left by rounding alone is nothing.
    return parts | {_REST[0]: rest} if rest > 0.02 else parts


def phases_chart(rows: Mapping[str, Mapping[str, float]], palette: Palette) -> Any:
    """Return one bar a row, split by phase; `rows` are milliseconds by name and phase, as `phase_parts` gives them.

    With several rows each bar begins where the one before it ended: steps follow on each other.
    """
    frame, order = _phase_frame(rows)
    colours = dict([*_PHASES.values(), _REST])
    own = [name for name in order if name not in colours]
    colours |= {name: _OTHER_COLOURS[index % len(_OTHER_COLOURS)] for index, name in enumerate(own)}
    axis = alt.Axis(labelLimit=160, ticks=False, domain=False) if len(rows) > 1 else None
    legend = alt.Legend(orient="top", title=None, labelColor=palette.muted, symbolType="square", offset=4)
    chart = (
        alt.Chart(frame)
        .mark_bar(height={"band": 0.7})
        .encode(
            x=alt.X("begin:Q", title=None, axis=alt.Axis(grid=False, tickCount=6, labelExpr="datum.label + ' ms'")),
            x2="end:Q",
            y=alt.Y("name:N", title=None, sort=list(rows), axis=axis),
            color=alt.Color(
                "phase:N", scale=alt.Scale(domain=order, range=[colours[n] for n in order]), legend=legend, sort=None
            ),
            tooltip=[alt.Tooltip("name:N"), alt.Tooltip("phase:N"), alt.Tooltip("ms:Q", format=",.1f")],
        )
    )
    return _dressed(chart.properties(height=alt.Step(28)), palette)


def _phase_frame(rows: Mapping[str, Mapping[str, float]]) -> tuple[pd.DataFrame, list[str]]:
    """Return name, phase, ms, begin, end of each part, and the phases in their order."""
    lines, order, at = [], dict[str, None](), 0.0
    for name, parts in rows.items():
        for phase, ms in parts.items():
            order[phase] = None
            lines.append({"name": name, "phase": phase, "ms": ms, "begin": at, "end": at + ms})
            at += ms
    ranked = [name for name, _ in (*_PHASES.values(),) if name in order]
    rest = [name for name in order if name not in ranked and name != _REST[0]]
    return pd.DataFrame(lines), [*ranked, *rest, *(n for n in (_REST[0],) if n in order)]


def bucket_shares(
    seconds: pd.DataFrame, names: Sequence[str], since: datetime, until: datetime, bucket_s: float, timezone: str
) -> pd.DataFrame:
    """Return name, begin, end, status, seconds, share for each bucket and status, unwatched time made visible.

    `seconds` is a frame of `Views.seconds` from `since`; every name gets every bucket until `until`. Shares of one
    bucket add up to 1: when verdicts cover more than the bucket (the clock was set back) they shrink alike.
    """
    buckets = pd.date_range(since, until, freq=pd.Timedelta(seconds=bucket_s), inclusive="left").as_unit("us")
    every = pd.MultiIndex.from_product([list(names), buckets], names=["name", "bucket"])
    seconds = seconds.assign(bucket=seconds["bucket"].dt.as_unit("us"))
    table = seconds.pivot_table(index=["name", "bucket"], columns="status", values="seconds", aggfunc="sum")
    table = table.reindex(every).fillna(0.0)
    covered = table.sum(axis=1)
    table = table.div((covered / bucket_s).clip(lower=1.0), axis=0)
    table[NOT_WATCHED] = (bucket_s - table.sum(axis=1)).clip(lower=0.0)
    long = table.reset_index().melt(id_vars=["name", "bucket"], var_name="status", value_name="seconds")
    long = long[long["seconds"] > 0]
    begin = wall_clock(long["bucket"], timezone)
    long = long.assign(begin=begin, end=begin + pd.to_timedelta(bucket_s, unit="s"), share=long["seconds"] / bucket_s)
    return long[["name", "begin", "end", "status", "seconds", "share"]]


def uptime_bars(shares: pd.DataFrame, names: Sequence[str], span: Span, palette: Palette) -> Any:
    """Return one row for each check and one cell for each bucket.

    `shares` is a frame of `bucket_shares`, `names` the order of rows. A cell has one colour, that of the worst that it
    saw: ten seconds of outage in a month must be seen, and the right end is now. The tooltip has the seconds.
    """
    seconds = [
        alt.Tooltip(f"{column}:Q", title=title, format=",.0f")
        for column, title in ((name, f"{name} s") for name in ("down", "degraded", "up", "maintenance", "unknown"))
    ]
    chart = (
        alt.Chart(_cells(shares))
        .mark_bar(height={"band": 0.72})
        .encode(
            x=alt.X("begin:T", title=None, scale=_time_scale(span), axis=_span_axis(span)),
            x2="right:T",
            y=alt.Y("name:N", title=None, sort=list(names), axis=alt.Axis(labelLimit=240, ticks=False, domain=False)),
            color=_status_colour(palette),
            tooltip=[
                alt.Tooltip("name:N", title="check"),
                alt.Tooltip("begin:T", title="from", format="%Y-%m-%d %H:%M"),
                alt.Tooltip("end:T", title="to", format="%Y-%m-%d %H:%M"),
                alt.Tooltip("status:N", title="worst"),
                *seconds,
            ],
        )
    )
    return _dressed(chart.properties(height=alt.Step(24)), palette)


def _cells(shares: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cell: the worst status in it, and its seconds by status."""
    names = {"FAIL": "down", "WARN": "degraded", "OK": "up", "UNKNOWN": "unknown", MAINTENANCE: "maintenance"}
    cells = shares.pivot_table(index=["name", "begin", "end"], columns="status", values="seconds", aggfunc="sum")
    cells = cells.reindex(columns=_ORDER).fillna(0.0)
    worst = (cells > 0).idxmax(axis=1)
    cells = cells.rename(columns=names).assign(status=worst)
    frame = cells.reset_index()
    # A hair of ground between cells, so that they can be counted.
    return frame.assign(right=frame["begin"] + (frame["end"] - frame["begin"]) * 0.94)


# On a phone a cell is narrower than two digits, and higher than four.
_UPRIGHT_WHERE_IT_FITS = "width / 24 < 8 * length(toString(datum.alerts)) ? 270 : 0"


def heat_map(week: Sequence[Sequence[int]], palette: Palette) -> Any:
    """Return hours across, weekdays down; `week` are seven days, Monday first, of 24 counts.

    The lightness says how many, and the number stands in the cell: it is read without any colour.
    """
    rows = [
        {"day": _DAYS[day], "hour": hour, "alerts": count, "from": f"{hour:02}:00", "to": f"{hour + 1:02}:00"}
        for day, counts in enumerate(week)
        for hour, count in enumerate(counts)
    ]
    most = max((max(counts, default=0) for counts in week), default=0) or 1
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("hour:O", title=None, axis=alt.Axis(labelAngle=0, ticks=False, domain=False, labelOverlap=True)),
        y=alt.Y("day:O", title=None, sort=list(_DAYS), axis=alt.Axis(ticks=False, domain=False)),
        tooltip=["day:O", "from:N", "to:N", "alerts:Q"],
    )
    scale = alt.Scale(domain=[0, most], range=list(palette.few_to_many))
    cells = base.mark_rect(cornerRadius=3, width={"band": 0.92}, height={"band": 0.88}).encode(
        color=alt.Color("alerts:Q", scale=scale, legend=None)
    )
    is_dark, is_light = palette.few_to_many[-1], palette.few_to_many[0]
    numbers = (
        base.transform_filter("datum.alerts > 0")
        .mark_text(fontSize=12, fontWeight=600, angle=alt.ExprRef(_UPRIGHT_WHERE_IT_FITS))
        .encode(
            text="alerts:Q",
            color=alt.condition(f"datum.alerts > {most} * 0.55", alt.value(is_light), alt.value(is_dark)),
        )
    )
    return _dressed(alt.layer(cells, numbers).properties(height=7 * 34), palette)


def calendar(stretches: pd.DataFrame, names: Sequence[str], timezone: str, span: Span, palette: Palette) -> Any:
    """Return one row a name and one bar a stretch of time.

    `stretches` has name, begins, ends (UTC), word (`maintenance` or `silence`), about.
    """
    frame = stretches.assign(
        begin=wall_clock(stretches["begins"], timezone), end=wall_clock(stretches["ends"], timezone)
    )
    words = ["maintenance", "silence"]
    colours = alt.Scale(domain=words, range=[palette.by_status[MAINTENANCE], palette.by_status["UNKNOWN"]])
    day = alt.Axis(format="%a %d", tickCount={"interval": "day", "step": 1}, grid=True, labelOverlap=True)
    chart = (
        alt.Chart(frame)
        .mark_bar(height={"band": 0.6}, cornerRadius=3, clip=True)
        .encode(
            x=alt.X("begin:T", title=None, scale=_time_scale(span), axis=day),
            x2="end:T",
            y=alt.Y("name:N", title=None, sort=list(names), axis=alt.Axis(labelLimit=180, ticks=False, domain=False)),
            color=alt.Color(
                "word:N",
                scale=colours,
                legend=alt.Legend(orient="top", title=None, labelColor=palette.muted, symbolType="square", offset=4),
            ),
            tooltip=[
                alt.Tooltip("name:N"),
                alt.Tooltip("about:N", title="for"),
                alt.Tooltip("begin:T", title="from", format="%a %d %b %H:%M"),
                alt.Tooltip("end:T", title="until", format="%a %d %b %H:%M"),
            ],
        )
    )
    return _dressed(chart.properties(height=alt.Step(30)), palette)


def _time_scale(span: Span) -> alt.Scale:
    return alt.Scale(domain=[str(at) for at in span])


def _left_axis(shown: bool = True) -> alt.Axis:
    """Return a vertical axis of one width, whatever its labels are."""
    return alt.Axis(minExtent=_LEFT_PX, maxExtent=_LEFT_PX, labels=shown, ticks=shown, domain=shown)


def _span_axis(span: Span) -> alt.Axis:
    return _time_axis(pd.Series(span))


def _time_axis(times: pd.Series[Any]) -> alt.Axis:
    """Return an axis whose labels say as much of the time as its span needs."""
    span_s = (times.max() - times.min()).total_seconds() if len(times) else 0.0
    form = next((form for longest_s, form in _AXIS_FORMS if span_s <= longest_s), "%d %b")
    return alt.Axis(format=form, grid=False, tickCount=8, labelOverlap=True)


def latency_bands(latency: pd.DataFrame, timezone: str, bucket_s: float, palette: Palette) -> Any:
    """Return the median and 95th percentile of one check's latency by bucket, broken where nothing was watched."""
    gaps = (latency["bucket"].diff().dt.total_seconds() > 1.5 * bucket_s).cumsum()
    frame = latency.assign(at=wall_clock(latency["bucket"], timezone), piece=gaps)
    x = alt.X("at:T", title=None, axis=_time_axis(frame["at"]))
    tips = [
        alt.Tooltip("at:T", title="from", format="%Y-%m-%d %H:%M"),
        alt.Tooltip("p50_ms:Q", title="median ms", format=".1f"),
        alt.Tooltip("p95_ms:Q", title="p95 ms", format=".1f"),
    ]
    base = alt.Chart(frame).encode(x=x, detail="piece:N", tooltip=tips)
    band = base.mark_area(opacity=0.25, color=palette.line).encode(y=alt.Y("p50_ms:Q", title="ms"), y2="p95_ms:Q")
    line = base.mark_line(
        strokeWidth=2, color=palette.line, point=alt.OverlayMarkDef(color=palette.line) if len(frame) < 40 else False
    ).encode(y="p50_ms:Q")
    return _dressed(alt.layer(band, line).properties(height=220), palette)


def _status_colour(palette: Palette) -> alt.Color:
    present = [*_ORDER]
    colours = [palette.by_status[name] for name in present]
    return alt.Color("status:N", scale=alt.Scale(domain=present, range=colours), legend=None)


def _dressed(chart: Any, palette: Palette) -> Any:
    return (
        chart.configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=palette.muted,
            titleColor=palette.muted,
            gridColor=palette.grid,
            domainColor=palette.grid,
            tickColor=palette.grid,
            labelFontSize=12,
        )
        .configure(background="transparent")
    )
