"""The wall's own files: markup, style, and its script in parts that are one module in the browser.

    words ─▶ time ─▶ payload ─▶ plan ─▶ feed ─▶ nodes ─▶ view ─▶ component

    feed       asks the server, and knows how old the news is
    payload    turns the untrusted document into a board of known shape
    words      say it in a sentence
    plan       decides sizes, with numbers only: no DOM
    view       patches nodes in place, keyed by check name

Everything in the document is untrusted: it reaches the page as textContent, never as markup.
"""

from __future__ import annotations

from importlib import resources

_FILES = resources.files(__name__)
# Streamlit takes one module; each part uses only those before it.
_PARTS = ("words", "time", "payload", "plan", "feed", "nodes", "view", "component")


def markup() -> str:
    """Return the HTML that the script fills."""
    return _FILES.joinpath("board.html").read_text("utf-8")


def style() -> str:
    """Return the CSS."""
    return _FILES.joinpath("board.css").read_text("utf-8")


def script() -> str:
    """Return the ES module; its default export is the component."""
    return "\n".join(_FILES.joinpath(f"{part}.js").read_text("utf-8") for part in _PARTS)
