"""Names in the file: each stands once, and each that something refers to is there. Called by `loading`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.config.assembly import Assembly
from monitor.config.explain import Redact
from monitor.config.models import Config
from monitor.config.references import problems as reference_problems
from monitor.config.values import texts, value_at
from monitor.config.yamlfile import Path as KeyPath
from monitor.config.yamlfile import Problem
from monitor.units import did_you_mean

BUILT_IN_CHANNELS = ("console", "email", "telegram", "slack", "discord", "teams", "webhook")


def duplicate_names(values: dict[str, Any], made: Assembly, redact: Redact) -> Iterator[Problem]:
    for block in ("checks", "channels"):
        first: dict[str, Problem] = {}
        items = values.get(block)
        for index, item in enumerate(items if isinstance(items, list) else []):
            name = item.get("name") if isinstance(item, dict) else None
            if not isinstance(name, str):
                continue
            written, owner = made.written((block, index, "name")), f"{block[:-1]} {redact(name)!r}"
            at = written.document.problem(written.path, "", owner)
            if name in first:
                before = first[name]
                where = f"on line {before.line}" if before.file == at.file else f"in {before.file}:{before.line}"
                text = f"name stands twice, first {where}; names are unique"
                yield written.document.problem(written.path, text, owner)
            if block == "channels" and name == "console":
                text = "it always exists and cannot be replaced; choose another name"
                yield written.document.problem(written.path, text, owner)
            first.setdefault(name, at)


def unknown_channels(config: Config, values: dict[str, Any], made: Assembly, redact: Redact) -> Iterator[Problem]:
    listed = values.get("channels")
    own = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    known = [*BUILT_IN_CHANNELS, *(name for name in own if isinstance(name, str))]
    general = values.get("global")
    of_all = general.get("channels") if isinstance(general, dict) else None
    places: list[tuple[KeyPath, Any]] = [(("global", "channels"), texts(of_all))]
    places += [(("checks", i, "channels"), check.channels or ()) for i, check in enumerate(config.checks)]
    for path, names in places:
        for index, name in enumerate(names):
            if name not in known and _is_written(values, (*path, index)):
                text = f"unknown channel {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}"
                written = made.written((*path, index))
                yield written.problem(redact(text), () if written.owner else written.keys[:-1])


def _is_written(values: Any, path: KeyPath) -> bool:
    """Return whether there is such a place: what comes from `global:` is said there."""
    return value_at(values, path) is not None


def wrong_references(config: Config, made: Assembly, redact: Redact) -> Iterator[Problem]:
    for path, text in reference_problems(config):
        written = made.written(path)
        yield written.problem(redact(text), () if written.owner else written.keys[:2])
