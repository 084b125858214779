"""`checks.yaml` to a validated `LoadedConfig`, or all that is wrong with it at once.

    text -> values with lines (yamlfile) -> variables filled in (environment) -> models -> global defaults

Called by the checker, the CLI and the tests. Reads files, never writes them.
"""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.checkbase import CheckBase
from monitor.config.environment import Environment
from monitor.config.kinds import CHECK_MODELS, HttpCheck
from monitor.config.models import Config, General
from monitor.config.yamlfile import Document, Problem, read_yaml
from monitor.config.yamlfile import Path as KeyPath
from monitor.units import did_you_mean

_SHARED = ("every", "timeout", "retries", "retry_backoff_s", "severity", "notify_on", "channels")
Redact = Callable[[str], str]
BUILT_IN_CHANNELS = ("console", "email", "telegram", "slack", "discord", "teams", "webhook")


class ConfigError(ValueError):
    """The file cannot be used; `errors` holds one line for each thing that is wrong with it."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration that holds: every check complete, and the environment that it was filled in from."""

    config: Config
    environment: Environment
    digest: str
    path: Path

    @property
    def checks(self) -> dict[str, CheckBase]:
        """Checks by name, in the order of the file."""
        return {check.name: check for check in self.config.checks}

    @property
    def folder(self) -> Path:
        return self.path.parent


def load_config(path: Path, environment: Environment | None = None) -> LoadedConfig:
    """Return the configuration in `path`; raise ConfigError with every error as `file:line: what`."""
    path = path.resolve()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError([f"{path.name}: not found in {path.parent}; write one, or name it with --config"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path.name}: cannot be read: {error}"]) from error
    return parse_config(text, path, environment or Environment.read(path.parent))


def parse_config(text: str, path: Path, environment: Environment) -> LoadedConfig:
    """As `load_config`, for a text that is already there."""
    document = read_yaml(text)
    problems = list(document.problems)
    if problems and document.value is None:
        raise ConfigError(_as_lines(path, problems))
    if not isinstance(document.value, dict):
        raise ConfigError([f"{path.name}:1: expected keys such as checks:, got {_shape(document.value)}"])
    environment = _with_demo(document.value, environment)
    values = _expand(document.value, (), document, environment, problems)
    redact = environment.redactor()
    problems += _duplicate_names(values, document, redact)
    config = _validate(values, document, problems, redact)
    if config is not None:
        config = _with_defaults(config)
        problems += _unknown_channels(config, document, redact)
    if problems or config is None:
        raise ConfigError(_as_lines(path, problems))
    return LoadedConfig(config, environment, hashlib.sha256(text.encode()).hexdigest()[:12], path)


def _with_demo(values: dict[str, Any], environment: Environment) -> Environment:
    """Return the environment with the demo service's address where `demo: true` asks for one."""
    port = values.get("demo_port", Config.model_fields["demo_port"].default)
    return (
        environment.with_default("MOCKAPP_BASE", f"http://127.0.0.1:{port}")
        if values.get("demo") is True
        else environment
    )


def _as_lines(path: Path, problems: list[Problem]) -> list[str]:
    return [f"{path.name}:{problem.line}: {problem.text}" for problem in sorted(problems, key=lambda p: p.line)]


def _shape(value: object) -> str:
    names = {list: "a list", dict: "a block of keys", str: "a text", type(None): "nothing"}
    return names.get(type(value), "a number")


def _expand(value: Any, path: KeyPath, document: Document, environment: Environment, into: list[Problem]) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, (*path, str(key)), document, environment, into) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, (*path, index), document, environment, into) for index, item in enumerate(value)]
    if not isinstance(value, str) or "{" not in value:
        return value
    text, missing = environment.expand(value)
    for name in missing:
        what = f"environment variable {name} is not set; set it, or write it into .env beside the file"
        into.append(Problem(document.line_of(path), f"{_owner(path, document.value)}{what}"))
    return text


def _owner(path: KeyPath, root: Any) -> str:
    """Return `check 'db': ` for a path inside a check, else the dotted path of the block."""
    if len(path) >= 2 and path[0] in ("checks", "channels") and isinstance(path[1], int):
        item = root[path[0]][path[1]]
        name = item.get("name") if isinstance(item, dict) else None
        return f"{str(path[0])[:-1]} {name if name is not None else f'#{path[1] + 1}'!r}: "
    inner = ".".join(str(part) for part in path[:-1])
    return f"{inner}: " if inner else ""


def _duplicate_names(values: dict[str, Any], document: Document, redact: Redact) -> Iterator[Problem]:
    for block in ("checks", "channels"):
        first: dict[str, int] = {}
        items = values.get(block)
        for index, item in enumerate(items if isinstance(items, list) else []):
            name = item.get("name") if isinstance(item, dict) else None
            if not isinstance(name, str):
                continue
            line = document.line_of((block, index, "name"))
            if name in first:
                what = f"name stands twice, first on line {first[name]}; names are unique"
                yield Problem(line, f"{block[:-1]} {redact(name)!r}: {what}")
            if block == "channels" and name == "console":
                yield Problem(line, "channel 'console': it always exists and cannot be replaced; choose another name")
            first.setdefault(name, line)


def _validate(values: dict[str, Any], document: Document, problems: list[Problem], redact: Redact) -> Config | None:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        unset = {problem.line for problem in problems if "environment variable" in problem.text}
        for detail in error.errors(include_url=False):
            problem = _explain(detail, document, redact)
            # A URL that still holds {NAME} is wrong only because the variable is missing: said once.
            if problem.line not in unset:
                problems.append(problem)
        return None


def _explain(detail: ErrorDetails, document: Document, redact: Redact) -> Problem:
    path = _file_path(detail["loc"], document)
    owner, inner = _owner((*path, ""), document.value), path[2:]
    if not owner.startswith(("check ", "channel ")):
        owner, inner = "", path
    if detail["type"] in ("extra_forbidden", "missing"):
        inner = inner[:-1]
    where = ".".join(str(part) for part in inner)
    sentence = _redacted(_sentence(detail), detail["input"], redact)
    return Problem(document.line_of(path), owner + (f"{where}: " if where else "") + sentence)


def _redacted(sentence: str, value: object, redact: Redact) -> str:
    if isinstance(value, str):
        # `got …` spells a secret with a quote or a line break in it otherwise than it is.
        sentence = sentence.replace(repr(value), repr(redact(value)))
    return redact(sentence)


def _sentence(detail: ErrorDetails) -> str:
    error, leaf = detail["type"], str(detail["loc"][-1]) if detail["loc"] else ""
    if error == "extra_forbidden":
        return f"unknown key {leaf!r}{did_you_mean(leaf, _known_keys(detail['loc']))}"
    if error == "missing":
        return f"missing key {leaf!r}"
    if error == "union_tag_not_found":
        return f"missing key 'type'; expected one of {', '.join(CHECK_MODELS)}"
    if error == "union_tag_invalid":
        got = str(detail["input"].get("type"))
        return f"unknown type {got!r}{did_you_mean(got, CHECK_MODELS)}; expected one of {', '.join(CHECK_MODELS)}"
    if error == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    return f"{_standard(detail)}, got {_got(detail['input'])}"


def _standard(detail: ErrorDetails) -> str:
    """Return pydantic's own sentence as `expected …`."""
    known = {
        "int_parsing": "a whole number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_parsing": "a number",
        "float_type": "a number",
        "string_type": "a text (put it in quotes)",
        "tuple_type": "a list",
        "bool_parsing": "true or false",
        "bool_type": "true or false",
        "model_type": "a block of keys",
        "model_attributes_type": "a block of keys",
        "invalid_key": "a text (put it in quotes)",
    }
    return "expected " + known.get(detail["type"], detail["msg"].removeprefix("Input should be "))


def _got(value: object) -> str:
    return repr(value) if isinstance(value, (str, int, float, type(None))) else _shape(value)


def _file_path(loc: tuple[int | str, ...], document: Document) -> KeyPath:
    """Return the error's place as the file has it: without the tags that pydantic adds for unions."""
    path: KeyPath = ()
    for position, part in enumerate(loc):
        if position == 2 and loc[0] == "checks" and part in CHECK_MODELS:
            continue
        is_last = position == len(loc) - 1
        if (*path, part) in document.lines or (is_last and not _is_tag(part)):
            path = (*path, part)
    return path


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and (part in CHECK_MODELS or "[" in part or part in ("int", "str", "float"))


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the block around an unknown key has."""
    model: type[BaseModel] = Config
    for part in loc[:-1]:
        if part in CHECK_MODELS:
            model = CHECK_MODELS[str(part)]
        else:
            field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
            inner = _models_in(field.annotation) if field else []
            model = inner[0] if inner else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def _with_defaults(config: Config) -> Config:
    return config.model_copy(update={"checks": tuple(complete(c, config.general) for c in config.checks)})


def complete(check: CheckBase, general: General) -> CheckBase:
    """Return the check with what it leaves open taken from `global:`."""
    shared = {name: getattr(general, name) for name in _SHARED}
    if isinstance(check, HttpCheck):
        shared |= {"warn_ms": general.thresholds.api_warn_ms, "crit_ms": general.thresholds.api_crit_ms}
    return check.model_copy(update={k: v for k, v in shared.items() if k not in check.model_fields_set})


def _unknown_channels(config: Config, document: Document, redact: Redact) -> Iterator[Problem]:
    known = [*BUILT_IN_CHANNELS, *(channel.name for channel in config.channels)]
    places: list[tuple[KeyPath, tuple[str, ...]]] = [(("global", "channels"), config.general.channels or ())]
    places += [(("checks", i, "channels"), check.channels or ()) for i, check in enumerate(config.checks)]
    for path, names in places:
        for index, name in enumerate(names):
            if name not in known and (*path, index) in document.lines:
                text = f"unknown channel {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}"
                owner = _owner((*path, ""), document.value)
                yield Problem(document.line_of((*path, index)), owner + redact(text))
