"""The wall's own files: markup, style, and its script in parts that are one module in the browser.

    words ─▶ time ─▶ payload ─▶ plan ─▶ feed ─▶ nodes ─▶ herald ─▶ view ─▶ component      the board
    words ─▶ time ─▶ payload ─────────▶ feed ─▶ nodes ──────────▶ news ─▶ component       the age of every other page

    feed       asks the server, and knows how old the news is
    payload    turns the untrusted document into a board of known shape
    words      say it in a sentence
    plan       decides sizes, with numbers only: no DOM
    herald     announces each new alert once, by a notification and a sound, where somebody asked for it
    view       patches nodes in place, keyed by check name
    news       says how old a page is, and that the server is silent

Everything in the document is untrusted: it reaches the page as textContent, never as markup.
"""

from __future__ import annotations

from importlib import resources

_FILES = resources.files(__name__)
# Streamlit takes one module; each part uses only those before it.
_BOARD = ("words", "time", "payload", "plan", "feed", "nodes", "herald", "view", "component")
_NEWS = ("words", "time", "payload", "feed", "nodes", "news", "component")


def markup(name: str = "board") -> str:
    """Return the HTML that the script fills."""
    return _FILES.joinpath(f"{name}.html").read_text("utf-8")


def style(name: str = "board") -> str:
    """Return the CSS."""
    return _FILES.joinpath(f"{name}.css").read_text("utf-8")


def script(name: str = "board") -> str:
    """Return the ES module; its default export is the component."""
    parts = _NEWS if name == "news" else _BOARD
    return "\n".join(_FILES.joinpath(f"{part}.js").read_text("utf-8") for part in parts)
