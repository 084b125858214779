"""What is named on Greenwall's own machine: programs and their environment, systemd's units, containers.

Checks look at them, remedies restart or run them.
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

# What a shell would act on; within a word, as in a URL, `&` is let pass.
_QUOTED_OR_OPERATOR = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.|([|<>;]|&&|&(?=\s|$)|`|\$\()""", re.DOTALL)
# What the address of a Unix socket has room for, its final zero byte included, is 108 on Linux and 104 on macOS.
_LONGEST_PATH_BYTES = 103


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


def _variables(variables: dict[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"expected names of letters, digits and _, got {name!r}")
        if "\0" in value:
            raise ValueError(f"expected values without zero bytes, got one in {name}")
    return variables


def _unit(value: str) -> str:
    # `*`, `?` and `[` would ask for many units at once.
    if not re.fullmatch(r"[A-Za-z0-9:_.\\@-]{1,255}", value) or value.startswith("--"):
        raise ValueError(f"expected the name of one unit such as nginx.service, got {value!r}")
    if re.search(r"@(\.[a-z]+)?$", value):
        raise ValueError(
            f"expected an instance of the template such as {value.replace('@', '@name', 1)}, got {value!r}"
        )
    return value


def _container(value: str) -> str:
    bare = value.removeprefix("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", bare):
        raise ValueError(f"expected the name or id of a container, got {value!r}")
    return bare


def _socket(value: str) -> str:
    path = value.removeprefix("unix://")
    if not path.startswith("/") or "\0" in path or len(path.encode()) > _LONGEST_PATH_BYTES:
        raise ValueError(f"expected the path of a Unix socket such as /var/run/docker.sock, got {value!r}")
    return path


_COMMAND_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

Command = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_words), WithJsonSchema(_COMMAND_SCHEMA)]
Variables = Annotated[dict[str, str], AfterValidator(_variables)]
Unit = Annotated[str, AfterValidator(_unit)]
Container = Annotated[str, AfterValidator(_container)]
UnixSocket = Annotated[str, AfterValidator(_socket)]
