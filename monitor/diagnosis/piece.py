"""What a diagnosis is handed out as: pieces of Markdown, each with who wrote it; and why a model wrote none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Who wrote a piece."""

    MODEL = "model"
    RULES = "rules"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some Markdown of an answer, in order: no raw HTML, no image, no link that hides where it goes."""

    text: str
    source: Source


class DiagnosisUnavailable(Exception):
    """The model gave no answer, or no whole one. `reason` says why in a clause fit to show; it holds no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
