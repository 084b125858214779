"""`checks.yaml` to a validated `LoadedConfig`, or all that is wrong with it at once.

    text -> values with lines (yamlfile) -> included files, what checks borrow (assembly) -> variables filled in
    (environment) -> models (explain) -> global defaults -> relations (references)

Called by the checker, the CLI and the tests. Reads files, never writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor import garbage
from monitor.config.assembly import Assembly, assemble, not_set
from monitor.config.checkbase import CheckBase, Policy
from monitor.config.environment import Environment
from monitor.config.explain import Redact
from monitor.config.include import Sources
from monitor.config.kinds import HttpCheck
from monitor.config.models import Config, General
from monitor.config.names import duplicate_names, unknown_channels, wrong_references
from monitor.config.remarks import Remark, faults_in, notes_on
from monitor.config.salvage import what_holds
from monitor.config.validation import validate, wrong_layers
from monitor.config.values import shape
from monitor.config.yamlfile import Path as KeyPath
from monitor.config.yamlfile import Problem, not_text, read_yaml

# Not filled in where they stand, but in the checks that they end up in.
_AS_WRITTEN = ("defaults", "templates", "include")


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
    remarks: tuple[Remark, ...] = ()
    # Of each block of `channels:`, by its name.
    channel_lines: Mapping[str, int] = field(default_factory=dict)

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
    except UnicodeDecodeError as error:
        raise ConfigError(_as_lines([not_text(error, path.name)], sources), sources) from error
    except OSError as error:
        raise ConfigError([f"{path.name}: cannot be read: {error}"], sources) from error
    return parse_config(text, path, environment, sources)


def parse_config(text: str, path: Path, environment: Environment, sources: Sources | None = None) -> LoadedConfig:
    """As `load_config`, for a text that is already there."""
    # Nothing of what is made here is garbage yet, and looking through it again and again takes half of the time.
    with garbage.paused():
        return _parse(text, path, environment, sources)


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
    problems += duplicate_names(values, made, redact)
    problems += wrong_layers(made, environment, redact)
    config = validate(values, made, problems, redact)
    if config is not None:
        for check in config.checks:
            complete(check, config.general)
    known = config or what_holds(values)
    problems += unknown_channels(known, values, made, redact)
    problems += wrong_references(known, made, redact)
    if problems or config is None:
        raise ConfigError(_as_lines(problems, made.sources), made.sources)
    remarks = tuple(_remarks(config, made, redact))
    lines = {one.name: made.written(("channels", index)).problem("").line for index, one in enumerate(config.channels)}
    return LoadedConfig(config, environment, made.digest, path, made.sources, remarks, lines)


def _remarks(config: Config, made: Assembly, redact: Redact) -> Iterator[Remark]:
    for found, is_fault in ((faults_in(config), True), (notes_on(config), False)):
        for path, text in found:
            problem = made.written(path).problem(redact(text))
            yield Remark(problem.line, f"{problem.owner}: {problem.text}", is_fault)


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


def complete(check: CheckBase, general: General) -> CheckBase:
    """Return the check, which was just read, with what it leaves open taken from `global:`."""
    shared = {name: getattr(general, name) for name in Policy.model_fields}
    if isinstance(check, HttpCheck):
        shared |= {"warn_ms": general.thresholds.api_warn_ms, "crit_ms": general.thresholds.api_crit_ms}
    # In place: nobody has seen it yet, and copies of five thousand checks are twenty megabytes.
    vars(check).update({key: value for key, value in shared.items() if key not in check.model_fields_set})
    return check
