"""`type: command`."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Many, Number, Regex
from monitor.model import Category

# What a shell would act on; within a word, as in a URL, `&` is let pass.
_QUOTED_OR_OPERATOR = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.|([|<>;]|&&|&(?=\s|$)|`|\$\()""", re.DOTALL)


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    operator = next((match[1] for match in _QUOTED_OR_OPERATOR.finditer(value) if match[1]), None)
    if operator:
        hint = 'write [sh, -c, "…"] for a shell, or put it in quotes'
        raise ValueError(f"expected no `{operator}` outside quotes, for no shell reads it; {hint}")
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"expected a command whose quotes are closed, got {value!r} ({error})") from error


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0]:
        raise ValueError("expected a program and its arguments, got nothing")
    if any("\0" in word for word in words):
        raise ValueError("expected a command without zero bytes, got one with")
    return words


def _environment(variables: dict[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"expected names of letters, digits and _, got {name!r}")
        if "\0" in value:
            raise ValueError(f"expected values without zero bytes, got one in {name}")
    return variables


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    return value


ExitCode = Annotated[int, BeforeValidator(_not_bool), Field(ge=0, le=255)]
ExitCodes = Many[ExitCode]
_COMMAND_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
Command = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_words), WithJsonSchema(_COMMAND_SCHEMA)]


class CommandCheck(CheckBase):
    """Run a program and judge its exit code and output: Nagios plugins, own scripts.

    Only with `global.allow_commands: true`, for whoever may write the file can then run programs as the user that
    Greenwall runs as; without it the check is UNKNOWN/unconfigured.

    No shell has a part in it: no `*`, no `$NAME`, no `~`; a text with `|`, `>`, `<`, `;`, `&&` or `$(` outside quotes
    is refused: write `[sh, -c, "…"]`. The program's environment is `env` and Greenwall's PATH, HOME and LANG: none of
    its secrets, so name here what it needs, `PGPASSWORD: "${DB_PASSWORD}"`. Other users of the machine can read the
    arguments of a program, not its environment. stdin is empty. By its deadline the program and its process group are
    ended; so is what it has left behind when it ended itself.

    By the convention of Nagios the exit codes 0, 1, 2, 3 are OK, WARN/content, FAIL/content and UNKNOWN/unconfigured
    (the plugin could not judge, most often for a wrong argument); 126 and 127, by which shells say that they cannot
    run a program, are UNKNOWN/unconfigured too, any other code, and an end by a signal, is FAIL/status. The first line
    of the output is the message; performance data (`label=value;warn;crit;min;max` behind a `|`) is kept as
    `observed.perfdata`. With `convention: exit` a code that is not in `expect_exit` is FAIL/status.

    `expect_contains` and `expect_matches` look at stdout and are FAIL/content when they do not hold. Of the output the
    first 64 KiB are kept, and assertions on a longer one fail. A program that is not there, or cannot be executed, is
    UNKNOWN/unconfigured.
    """

    example: ClassVar[str] = """\
- name: root file system
  type: command
  command: /usr/lib/nagios/plugins/check_disk -w 10% -c 5% -p /
"""
    trouble: ClassVar[Category] = Category.SYSTEM

    type: Literal["command"]
    command: Command = Field(
        description="program and arguments: a list, or a text that is split as a shell would, and goes to no shell"
    )
    cwd: str | None = Field(None, description="folder to run it in; without it that of `checks.yaml`")
    env: Annotated[dict[str, str], AfterValidator(_environment)] = Field(
        default_factory=dict, repr=False, description="environment variables, besides PATH, HOME and LANG"
    )
    convention: Literal["nagios", "exit"] = Field("nagios", description="what exit codes mean")
    expect_exit: ExitCodes = Field((0,), min_length=1, description="convention exit: code or codes that are OK")
    expect_contains: str | None = Field(None, min_length=1, description="text that must be in stdout")
    expect_matches: Regex | None = Field(None, description="regular expression (RE2) that must match in stdout")
    warn_ms: Number | None = Field(None, gt=0, description="a longer run is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="a longer run is FAIL")

    @model_validator(mode="after")
    def _expects_by_its_convention(self) -> CommandCheck:
        if "expect_exit" in self.model_fields_set and self.convention != "exit":
            raise ValueError(f"expected convention: exit beside expect_exit, got {self.convention}")
        return self

    @property
    def target(self) -> str:
        # The arguments may be secret.
        return self.command[0]
