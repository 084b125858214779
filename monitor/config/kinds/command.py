"""`type: command`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Many, Number, Regex
from monitor.config.machine import Command, Variables
from monitor.model import Category


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    return value


ExitCode = Annotated[int, BeforeValidator(_not_bool), Field(ge=0, le=255)]
ExitCodes = Many[ExitCode]


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
    env: Variables = Field(
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
