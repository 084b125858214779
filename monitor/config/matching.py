"""Who is meant: the keys by which routes, silences and rules pick checks and alerts."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

from pydantic import Field

from monitor.config.fields import Block, Many, SeverityField, Texts
from monitor.model import Category, Subject
from monitor.units import did_you_mean

Severities = Many[SeverityField]
Categories = Many[Category]


class Match(Block):
    """Every key that is written must fit; of a list any. Without a key everything is meant."""

    name: Texts = Field((), description="names of checks or resources; `*` stands for anything, such as `shop-*`")
    group: Texts = Field((), description="groups; `*` stands for anything")
    tag: Texts = Field((), description="tags, any of which it has")
    severity: Severities = Field((), description="such as `[P1, P2]`")
    type: Texts = Field((), description="kinds of checks, or types of alerts; `*` stands for anything")
    category: Categories = Field((), description="such as `DATABASE`")
    owner: Texts = Field((), description="owners; `*` stands for anything")

    def covers(self, subject: Subject) -> bool:
        """Return whether this check or alert is meant."""
        return (
            _fits(self.name, subject.name)
            and _fits(self.group, subject.group)
            and (not self.tag or not set(self.tag).isdisjoint(subject.tags))
            and (not self.severity or subject.severity in self.severity)
            and _fits(self.type, subject.type)
            and (not self.category or subject.category in self.category)
            and _fits(self.owner, subject.owner)
        )

    def __str__(self) -> str:
        """Return `group db or cache, severity P1`; `everything` when it names nothing."""
        said = [
            f"{key} {' or '.join(map(str, getattr(self, key)))}" for key in Match.model_fields if getattr(self, key)
        ]
        return ", ".join(said) or "everything"


def misses(match: Match, known: Collection[Subject]) -> list[str]:
    """Return what is asked for that none of these has, with the nearest that one has; nothing when none are known."""
    found = []
    for key in Match.model_fields if known else ():
        there = {text for one in known for text in _texts(one, key)}
        for value in getattr(match, key):
            if not any(Match.model_validate({key: value}).covers(one) for one in known):
                asked = f"is called {value!r}" if key == "name" else f"has the {key} {str(value)!r}"
                found.append(f"no check {asked}{did_you_mean(value, there)}")
    if known and not found and not any(match.covers(one) for one in known):
        return [f"no check fits all of it: {match}"]
    return found


def _texts(subject: Subject, key: str) -> tuple[str, ...]:
    return subject.tags if key == "tag" else (getattr(subject, key),)


def _fits(patterns: tuple[str, ...], text: str) -> bool:
    return not patterns or any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)
