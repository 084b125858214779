"""`checks.yaml` to a validated `LoadedConfig`, or all that is wrong with it at once.

    text -> values with lines (yamlfile) -> included files, what checks borrow (assembly) -> variables filled in
    (environment) -> models (explain) -> global defaults -> relations (references)

Called by the checker, the CLI and the tests. Reads files, never writes them.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.assembly import Assembly, Written, assemble, not_set
from monitor.config.checkbase import CheckBase
from monitor.config.environment import Environment
from monitor.config.explain import Redact, place_of, sentence
from monitor.config.include import Sources
from monitor.config.kinds import CHECK_MODELS, GroupCheck, HttpCheck
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.config.models import Config, General, VantageBlock
from monitor.config.references import problems as reference_problems
from monitor.config.templates import Layer, has_placeholder, shape, value_at
from monitor.config.yamlfile import Path as KeyPath
from monitor.config.yamlfile import Problem, read_yaml
from monitor.units import did_you_mean

_SHARED = (
    "every",
    "timeout",
    "retries",
    "retry_interval",
    "fail_after",
    "recover_after",
    "flap_detection",
    "flap_low",
    "flap_high",
    "severity",
    "notify_on",
    "channels",
)
BUILT_IN_CHANNELS = ("console", "email", "telegram", "slack", "discord", "teams", "webhook")


# Not filled in where they stand, but in the checks that they end up in.
_AS_WRITTEN = ("defaults", "templates", "include")
# checks, its index, the key.
_KEY_OF_CHECK = 3


class ConfigError(ValueError):
    """The files cannot be used; `errors` holds one line for each thing that is wrong with them.

    `sources` are the files that were read: what must change for it to be any better. None where there is no file.
    """

    def __init__(self, errors: list[str], sources: Sources | None = None) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors
        self.sources = sources


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration that holds: every check complete, and the environment that it was filled in from."""

    config: Config
    environment: Environment
    digest: str
    path: Path
    sources: Sources

    @property
    def checks(self) -> dict[str, CheckBase]:
        """Checks by name, in the order of the file."""
        return {check.name: check for check in self.config.checks}

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def files(self) -> tuple[Path, ...]:
        """The file itself and those that it includes."""
        return self.sources.files


def load_config(path: Path, environment: Environment | None = None, demo_url: str = "") -> LoadedConfig:
    """Return the configuration in `path`; raise ConfigError with every error as `file:line: what`.

    `demo_url` is where the bundled demo service is found, for checks that follow it.
    """
    path = path.resolve()
    sources = Sources.of(path)
    environment = environment or Environment.read(path.parent)
    if demo_url:
        environment = environment.with_default("MOCKAPP_BASE", demo_url)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        text_ = f"{path.name}: not found in {path.parent}; write one, or name it with --config"
        raise ConfigError([text_], sources) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path.name}: cannot be read: {error}"], sources) from error
    return parse_config(text, path, environment, sources)


def parse_config(text: str, path: Path, environment: Environment, sources: Sources | None = None) -> LoadedConfig:
    """As `load_config`, for a text that is already there."""
    with _no_collecting():
        return _parse(text, path, environment, sources)


@contextlib.contextmanager
def _no_collecting() -> Iterator[None]:
    # Nothing of what is made here is garbage yet, and looking through it again and again takes half of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parse(text: str, path: Path, environment: Environment, sources: Sources | None) -> LoadedConfig:
    sources = sources or Sources.of(path)
    document = read_yaml(text, path.name)
    if document.problems and document.value is None:
        raise ConfigError(_as_lines(document.problems, sources), sources)
    if not isinstance(document.value, dict):
        expected = f"expected keys such as checks:, got {shape(document.value)}"
        raise ConfigError([f"{path.name}:1: {expected}"], sources)
    environment = _with_demo(document.value, environment)
    made = assemble(document, text, sources, environment)
    problems = made.problems
    values = {
        key: value if key in _AS_WRITTEN else _expand(value, (str(key),), made, environment, problems)
        for key, value in made.values.items()
    }
    redact = environment.redactor()
    problems += _duplicate_names(values, made, redact)
    problems += _wrong_layers(made, environment, redact)
    config = _validate(values, made, problems, redact)
    if config is not None:
        config = _with_defaults(config)
    known = config or _what_holds(values)
    problems += _unknown_channels(known, values, made, redact)
    problems += _wrong_references(known, made, redact)
    if problems or config is None:
        raise ConfigError(_as_lines(problems, made.sources), made.sources)
    return LoadedConfig(config, environment, made.digest, path, made.sources)


def _with_demo(values: dict[str, Any], environment: Environment) -> Environment:
    """Return the environment with the demo service's address where `demo: true` asks for one."""
    port = values.get("demo_port", Config.model_fields["demo_port"].default)
    return (
        environment.with_default("MOCKAPP_BASE", f"http://127.0.0.1:{port}")
        if values.get("demo") is True
        else environment
    )


def _as_lines(problems: list[Problem], sources: Sources) -> list[str]:
    """Return a line for each problem by file and line; what is wrong in several checks at one place is said once."""
    owners: dict[tuple[str, int, str], dict[str, None]] = {}
    for one in problems:
        owners.setdefault((one.file, one.line, one.text), {})[one.owner] = None
    lines = []
    main = sources.main.name
    for (file, line, text), of in sorted(owners.items(), key=lambda item: (item[0][0] != main, *item[0][:2])):
        first, more = next(iter(of)), len(of) - 1
        owner = f"{first} and {more} more: " if first and more else f"{first}: " if first else ""
        lines.append(f"{file}:{line}: {owner}{text}")
    return lines


def _expand(value: Any, path: KeyPath, made: Assembly, environment: Environment, into: list[Problem]) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, (*path, str(key)), made, environment, into) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, (*path, index), made, environment, into) for index, item in enumerate(value)]
    if not isinstance(value, str) or "{" not in value:
        return value
    text, missing = environment.expand(value)
    for name in missing:
        written = made.written(path)
        into.append(written.problem(not_set(name), () if written.owner else written.keys[:-1]))
    return text


def _duplicate_names(values: dict[str, Any], made: Assembly, redact: Redact) -> Iterator[Problem]:
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


def _validate(values: dict[str, Any], made: Assembly, problems: list[Problem], redact: Redact) -> Config | None:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        unset = {(problem.file, problem.line) for problem in problems if "environment variable" in problem.text}
        for detail in error.errors(include_url=False):
            if _follows(detail, values, made):
                continue
            problem = _explain(detail, values, made, redact)
            # A URL that still holds {NAME} is wrong only because the variable is missing: said once.
            if (problem.file, problem.line) not in unset:
                problems.append(problem)
        return None


def _follows(detail: ErrorDetails, values: dict[str, Any], made: Assembly) -> bool:
    """Return whether the error only follows from one in what a check borrows, which is said already."""
    path = place_of(detail["loc"], values)
    index = path[1] if len(path) >= 2 and path[0] == "checks" else None
    if not isinstance(index, int) or not made.origins[index].is_partial:
        return False
    return detail["type"] in ("missing", "union_tag_not_found") or has_placeholder(value_at(values, path))


def _explain(detail: ErrorDetails, values: dict[str, Any], made: Assembly, redact: Redact) -> Problem:
    path = place_of(detail["loc"], values)
    written, text = made.written(path), sentence(detail, Config, redact)
    if detail["type"] != "extra_forbidden" and detail["type"] != "missing":
        return written.problem(text)
    if detail["type"] == "extra_forbidden" and written.keys[:1] == ("templates",) and len(path) == _KEY_OF_CHECK:
        index = int(path[1])
        return _unfit(made, index, text, written)
    return written.problem(text, written.keys[:-1])


def _unfit(made: Assembly, index: int, text: str, written: Written) -> Problem:
    """Return that a template has a key which is none of the check that uses it: said of the check."""
    origin = made.origins[index]
    return origin.document.problem((*origin.path, "use"), f"use: {written.keys[1]}: {text}", made.owner(index))


def _wrong_layers(made: Assembly, environment: Environment, redact: Redact) -> Iterator[Problem]:
    """Yield what is wrong in `defaults:` and `templates:` by itself, whether a check uses them or not."""
    for document, scope in made.documents:
        for kind, layer in scope.defaults.items():
            own = {key: item for key, item in layer.items() if item.document is document}
            yield from _wrong_values(own, CHECK_MODELS.get(kind, CheckBase), environment, redact)
        for layer in scope.templates.values():
            typed = layer.get("type")
            if typed and typed.document is document and str(typed.value) in CHECK_MODELS:
                yield from _wrong_values(layer, CHECK_MODELS[str(typed.value)], environment, redact)


def _wrong_values(layer: Layer, model: type[CheckBase], environment: Environment, redact: Redact) -> Iterator[Problem]:
    values = {}
    for key, item in layer.items():
        filled, missing = _filled_in(item.value, environment)
        if not missing and not has_placeholder(item.value):
            values[key] = filled
    try:
        model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            place = place_of(detail["loc"], values)
            if not place or detail["loc"][0] not in values:
                continue
            item = layer[str(place[0])]
            path = (*item.path, *place[1:])
            shown = path[:-1] if detail["type"] in ("extra_forbidden", "missing") else path
            text = f"{'.'.join(map(str, shown))}: {sentence(detail, model, redact)}"
            yield item.document.problem(path, text)


def _filled_in(value: Any, environment: Environment) -> tuple[Any, bool]:
    """Return the value with variables filled in, and whether one is missing."""
    if isinstance(value, str):
        text, missing = environment.expand(value)
        return text, bool(missing)
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        filled = {key: _filled_in(one, environment) for key, one in pairs}
        values = {key: one for key, (one, _) in filled.items()}
        is_missing = any(missing for _, missing in filled.values())
        return (values if isinstance(value, dict) else list(values.values())), is_missing
    return value, False


def _what_holds(values: dict[str, Any]) -> Config:
    """Return what of an invalid file can be related: its valid checks, and stand-ins with the names of the others."""
    written = values.get("checks")
    # With an item that is no block, places in the values and places among the checks would differ.
    is_whole = isinstance(written, list) and all(isinstance(item, dict) for item in written)
    checks: Any = tuple(_check_or_stand_in(item) for item in written) if is_whole and written else ()
    return Config.model_construct(general=General(), vantage=_vantage(values.get("vantage")), checks=checks)


def _vantage(written: object) -> VantageBlock | None:
    try:
        return VantageBlock.model_validate(written)
    except ValidationError:
        return None


def _check_or_stand_in(values: dict[str, Any]) -> CheckBase:
    model = CHECK_MODELS.get(str(values.get("type")), CheckBase)
    try:
        return model.model_validate(values)
    except ValidationError:
        # A group that is wrong in itself is not looked into.
        stand_in = CheckBase if model is GroupCheck else model
        known: dict[str, Any] = {key: values[key] for key in ("name", "group") if isinstance(values.get(key), str)}
        texts = {key: tuple(_texts(values.get(key))) for key in ("tags", "depends_on", "channels")}
        if model is HeartbeatCheck and isinstance(values.get("key"), str):
            known["key"] = SecretStr(values["key"])
        return stand_in.model_construct(**{"name": "", "type": str(values.get("type"))} | known | texts)


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _with_defaults(config: Config) -> Config:
    return config.model_copy(update={"checks": tuple(complete(c, config.general) for c in config.checks)})


def complete(check: CheckBase, general: General) -> CheckBase:
    """Return the check with what it leaves open taken from `global:`."""
    shared = {name: getattr(general, name) for name in _SHARED}
    if isinstance(check, HttpCheck):
        shared |= {"warn_ms": general.thresholds.api_warn_ms, "crit_ms": general.thresholds.api_crit_ms}
    return check.model_copy(update={k: v for k, v in shared.items() if k not in check.model_fields_set})


def _unknown_channels(config: Config, values: dict[str, Any], made: Assembly, redact: Redact) -> Iterator[Problem]:
    listed = values.get("channels")
    own = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    known = [*BUILT_IN_CHANNELS, *(name for name in own if isinstance(name, str))]
    general = values.get("global")
    of_all = general.get("channels") if isinstance(general, dict) else None
    places: list[tuple[KeyPath, Any]] = [(("global", "channels"), _texts(of_all))]
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


def _wrong_references(config: Config, made: Assembly, redact: Redact) -> Iterator[Problem]:
    for path, text in reference_problems(config):
        written = made.written(path)
        yield written.problem(redact(text), () if written.owner else written.keys[:2])
