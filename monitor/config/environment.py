"""What comes from the environment: variables in the file's texts, credentials, and which of them are secret.

A variable of the process wins over the same one in `.env`. Secret values are known here so that they can be
taken out of every text that leaves Greenwall.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

_REFERENCE = re.compile(r"\\?(?:\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\{([A-Z][A-Z0-9_]*)\})")
_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|WEBHOOK|DATABASE_URL|REDIS_URL|DSN|AUTH", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)")
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_PAIR = re.compile(
    r"(?i)([\"']?\b[\w-]*(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)([^\s\"'&,;}]{4,})"
)
_SHORTEST_SECRET = 6


@dataclass(frozen=True)
class Environment:
    """Variables by name. Its `repr` shows names only."""

    variables: Mapping[str, str] = field(repr=False, default_factory=dict)

    @classmethod
    def read(cls, folder: Path, process: Mapping[str, str] | None = None) -> Environment:
        """Return the process's variables over those of `folder/.env`."""
        from_file = {key: value for key, value in dotenv_values(folder / ".env").items() if value is not None}
        return cls({**from_file, **(os.environ if process is None else process)})

    def get(self, *names: str) -> str:
        """Return the first of these variables that is not blank, or an empty text."""
        return next((value for name in names if (value := self.variables.get(name, "").strip())), "")

    def with_default(self, name: str, value: str) -> Environment:
        return self if self.get(name) else Environment({**self.variables, name: value})

    def expand(self, text: str) -> tuple[str, list[str]]:
        """Return the text with `{NAME}` and `${NAME}` filled in, and the names that are not set.

        `${NAME:-default}` has a default. Braces around anything but a name in capitals stay as they are,
        so that `{job_id}`, regular expressions and JSON bodies pass through; so does `\\{NAME}`, without its backslash.
        """
        missing: list[str] = []

        def fill(match: re.Match[str]) -> str:
            if match[0].startswith("\\"):
                return match[0][1:]
            name = match[1] or match[3]
            value = self.variables.get(name, "") or (match[2] or "")
            if not value and match[2] is None:
                missing.append(name)
                return match[0]
            return value

        return _REFERENCE.sub(fill, text), missing

    def redactor(self) -> Callable[[str], str]:
        """Return a function that takes secrets out of a text: known values, passwords in URLs, bearer tokens."""
        return make_redactor(
            value for name, value in self.variables.items() if _SECRET_NAME.search(name) and name != "SSH_AUTH_SOCK"
        )


def make_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that replaces these values, and what looks like a credential, by `***`."""
    known = sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)
    values = re.compile("|".join(map(re.escape, known))) if known else None

    def redact(text: str) -> str:
        clean = values.sub("***", text) if values else text
        if "://" in clean:
            clean = _USER_INFO.sub("***", clean)
        return _PAIR.sub(r"\1***", _BEARER.sub(r"\1 ***", clean))

    return redact
