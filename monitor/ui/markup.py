"""Lists and tables for `st.html`. Every text in them is escaped here; nothing comes in as markup.

Streamlit's own table draws on a canvas: it cuts what is long, and cannot be folded, wrapped or linked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from monitor.ui.facts import Fact, folded
from monitor.units import plain

_LONGEST = 4_000

STYLE = """
.gw-facts.gw-facts { display: grid; gap: 0.35rem 1.25rem; margin: 0; padding: 0; }
.gw-facts { grid-template-columns: minmax(6rem, max-content) minmax(0, 1fr); }
.gw-facts dt { opacity: 0.65; } .gw-facts.gw-facts dd { margin: 0; }
.gw-facts dd, .gw-facts dt, .gw-table td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.gw-table { width: 100%; border-collapse: collapse; margin: 0; }
.gw-table th { text-align: left; font-weight: 400; opacity: 0.65; padding: 0 1rem 0.35rem 0; }
.gw-table td { vertical-align: top; padding: 0.35rem 1rem 0.35rem 0; border-top: 1px solid rgb(128 128 128 / 0.25); }
.gw-table td:last-child, .gw-table th:last-child { padding-right: 0; }
.gw-facts details summary, .gw-table details summary { cursor: pointer; }
.gw-facts details[open] summary span, .gw-table details[open] summary span { display: none; }
.gw-facts details[open] summary::after, .gw-table details[open] summary::after { content: "less"; opacity: 0.65; }
.gw-table a.gw-link { color: inherit; text-decoration: underline; text-underline-offset: 0.2em; }
.gw-way.gw-way { color: inherit; text-decoration: underline; text-underline-offset: 0.2em; }
.gw-table td { min-width: 5.5rem; } .gw-table td:first-child { min-width: 9.5rem; }
.gw-table td:has(> a) { min-width: 11rem; }
.gw-table .gw-sign { font-weight: 800; display: inline-block; width: 1.2em; }
.gw-facts, .gw-table { font-size: 0.95rem; line-height: 1.45; }
.gw-target { margin: 0; overflow-wrap: anywhere; }
.gw-target code { padding: 0.1em 0.4em; border-radius: 0.25rem; background: rgb(128 128 128 / 0.18); }
@media (max-width: 640px) {
  .gw-table thead { display: none; }
  .gw-table tr { display: block; padding: 0.5rem 0; border-top: 1px solid rgb(128 128 128 / 0.25); }
  .gw-table td { display: block; border: 0; padding: 0; }
  .gw-table td[data-label]:not([data-label=""])::before { content: attr(data-label) " "; opacity: 0.65; }
}
"""


@dataclass(frozen=True, slots=True)
class Sign:
    """A status before a text: its sign, in its colour."""

    sign: str
    colour: str


@dataclass(frozen=True, slots=True)
class Link:
    """A check, and the way to its page."""

    name: str
    sign: Sign


Cell = str | Fact | Link


def target(kind: str, what: str) -> str:
    """Return the line that says what a check looks at."""
    return f'<p class="gw-target"><code>{_text(kind)}</code> {_text(what)}</p>'


def way(label: str, page: str, **query: str) -> str:
    """Return a link to a page."""
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f'<a class="gw-way" href="{escape(page + (f"?{asked}" if asked else ""))}" target="_self">{_text(label)}</a>'


def facts(shown: Iterable[Fact]) -> str:
    """Return a list of labels and values."""
    return f'<dl class="gw-facts">{"".join(f"<dt>{_text(one.label)}</dt><dd>{_value(one)}</dd>" for one in shown)}</dl>'


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table; on a phone each row is a block with the heads as labels."""
    head = "".join(f"<th>{_text(one)}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(map(_cell, heads, row))}</tr>" for row in rows)
    return f'<table class="gw-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(head: str, cell: Cell) -> str:
    if isinstance(cell, Link):
        return f'<td data-label="">{_link(cell)}</td>'
    fact = cell if isinstance(cell, Fact) else folded("", cell)
    return f'<td data-label="{_escaped(head) if fact.value else ""}">{_value(fact)}</td>'


def _link(link: Link) -> str:
    # A name cut in the middle of an emoji is not encodable.
    where = quote(link.name.encode("utf-8", "replace"), safe="")
    sign = f'<span class="gw-sign" style="color: {escape(link.sign.colour)}">{_text(link.sign.sign)}</span>'
    return f'{sign}<a class="gw-link" href="check?name={where}">{_text(link.name)}</a>'


def _value(fact: Fact) -> str:
    if not fact.more:
        return _text(fact.value)
    return f"<details><summary><span>{_text(fact.value)}</span></summary>{_text(fact.more)}</details>"


def _text(text: str) -> str:
    return f"<bdi>{_escaped(text)}</bdi>"


def _escaped(text: str) -> str:
    return escape(plain(text, _LONGEST))
