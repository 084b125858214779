"""Names in the file: each stands once, and each that something refers to is there. Called by `loading`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

from monitor.config.assembly import NAMED_BLOCKS, Assembly
from monitor.config.channelblock import CHANNEL_KEYS
from monitor.config.explain import Redact
from monitor.config.models import Config
from monitor.config.references import problems as reference_problems
from monitor.config.values import texts, value_at
from monitor.config.yamlfile import Path as KeyPath
from monitor.config.yamlfile import Problem
from monitor.units import did_you_mean, nearest

# Those that the environment configures: every type but `apprise`, which needs a block.
BUILT_IN_CHANNELS = ("console", *(name for name in CHANNEL_KEYS if name != "apprise"))


def duplicate_names(values: dict[str, Any], made: Assembly, redact: Redact) -> Iterator[Problem]:
    for block, word in {"checks": "check", **NAMED_BLOCKS}.items():
        first: dict[str, Problem] = {}
        items = values.get(block)
        for index, item in enumerate(items if isinstance(items, list) else []):
            name = item.get("name") if isinstance(item, dict) else None
            if not isinstance(name, str):
                continue
            written, owner = made.written((block, index, "name")), f"{word} {redact(name)!r}"
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
    """Yield names that are no channel's; where people are told, a rota's stands for one, too."""
    channels = [*BUILT_IN_CHANNELS, *(name for _, block in _blocks(values, "channels") if (name := _name_of(block)))]
    rotas = [name for _, block in _blocks(values, "on_call") if (name := _name_of(block))]
    clashes = {name for name in rotas if name in channels}
    for index, block in _blocks(values, "on_call"):
        if _name_of(block) in clashes:
            yield made.written(("on_call", index, "name")).problem("name is a channel's already; choose another", ())
    places: list[tuple[KeyPath, list[str]]] = [
        (("global", "channels"), texts(value_at(values, ("global", "channels"))))
    ]
    places += [(("checks", i, "channels"), list(check.channels or ())) for i, check in enumerate(config.checks)]
    places += _places_of_routes(values)
    known = [*channels, *rotas]
    strange = {name for _, names in places for name in names}.difference(known)
    meant = _meant_by(clashes, strange, known[len(BUILT_IN_CHANNELS) :])
    yield from _unknown(places, known, values, made, redact, meant)
    yield from _unknown(_places_of_channels(values), channels, values, made, redact)


def _meant_by(clashes: Set[str], strange: Set[str], own: list[str]) -> Set[str]:
    """Return strange names that the rotas may be meant to have whose names are channels': that is said of the rota.

    What is near to one of the file's `own` names is a slip of its own.
    """
    meant = {name for name in strange if not nearest(name, own)}
    return meant if len(meant) <= len(clashes) else set()


def _places_of_routes(values: dict[str, Any]) -> Iterator[tuple[KeyPath, list[str]]]:
    for index, block in _blocks(values, "routes"):
        yield ("routes", index, "channels"), texts(block.get("channels"))
        steps = block.get("escalate")
        for number, step in enumerate(steps if isinstance(steps, list) else [steps]):
            if isinstance(step, dict):
                yield ("routes", index, "escalate", number, "channels"), texts(step.get("channels"))


def _places_of_channels(values: dict[str, Any]) -> Iterator[tuple[KeyPath, list[str]]]:
    """Yield where only a channel can stand: what is told instead of one, and what people are reached by."""
    for index, block in _blocks(values, "channels"):
        yield ("channels", index, "fallback"), texts(block.get("fallback"))
    for index, block in _blocks(values, "on_call"):
        people = block.get("people")
        for person, names in people.items() if isinstance(people, dict) else ():
            yield ("on_call", index, "people", person), texts(names)


def _unknown(
    places: Iterable[tuple[KeyPath, list[str]]],
    known: list[str],
    values: dict[str, Any],
    made: Assembly,
    redact: Redact,
    said_elsewhere: Set[str] = frozenset(),
) -> Iterator[Problem]:
    for path, names in places:
        for index, name in enumerate(names):
            if name not in known and name not in said_elsewhere and _is_written(values, (*path, index)):
                text = f"unknown channel {name!r}{did_you_mean(name, known)}; known: {', '.join(dict.fromkeys(known))}"
                written = made.written((*path, index))
                yield written.problem(redact(text), () if written.owner else written.keys[:-1])


def _blocks(values: dict[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    listed = values.get(key)
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(item, dict):
            yield index, item


def _name_of(block: dict[str, Any]) -> str | None:
    name = block.get("name")
    return name if isinstance(name, str) else None


def _is_written(values: Any, path: KeyPath) -> bool:
    """Return whether there is such a place: what comes from `global:` is said there."""
    return value_at(values, path) is not None


def wrong_references(config: Config, made: Assembly, redact: Redact) -> Iterator[Problem]:
    for path, text in reference_problems(config):
        written = made.written(path)
        yield written.problem(redact(text), () if written.owner else written.keys[:2])
