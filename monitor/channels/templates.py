"""Templates of messages: `subject`, `text`, `html` and `short` (text messages), in Jinja, sandboxed.

    built-in: monitor/channels/messages/NAME.txt       one's own: messages/NAME.txt beside checks.yaml

They only put words in order that `wording` has made plain: values are escaped in `html` by themselves, and can break no
line in the others. A template of one's own that breaks while a message is written is replaced by the built-in one:
an alert is never lost to a template.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

log = logging.getLogger(__name__)
NAMES = ("subject", "text", "html", "short")
_FOLDER = Path(__file__).parent / "messages"
# More is no message; a slip in a template must not fill the memory, neither in a loop nor in one step.
LONGEST = 200_000


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**":
            raise SecurityError("expected no `**`")
        for many, times in ((left, right), (right, left)):
            if isinstance(many, (str, list, tuple)) and isinstance(times, int) and len(many) * times > LONGEST:
                raise SecurityError(f"expected at most {LONGEST} characters or items")
        return super().call_binop(context, operator, left, right)


def sandbox(autoescape: bool = False, finalize: Callable[[Any], Any] | None = None) -> ImmutableSandboxedEnvironment:
    """Return where templates run: they can read what they are given, call nothing unsafe, and name nothing unknown.

    It keeps slips from doing harm. It does not hold whoever writes `checks.yaml`, who can have programs run.
    """
    made = _Sandbox(
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    del made.globals["lipsum"]
    return made


def rendered(template: Template, words: Mapping[str, Any]) -> str:
    """Return the text; SecurityError as soon as it is longer than LONGEST, and whatever else the template raises."""
    parts, length = [], 0
    for part in template.generate(words):
        parts.append(part)
        length += len(part)
        if length > LONGEST:
            raise SecurityError(f"it writes more than {LONGEST} characters")
    return "".join(parts)


_PLAIN, _HTML = sandbox(), sandbox(autoescape=True)


def compiled(name: str, source: str) -> Template:
    """Return the template; jinja2.TemplateSyntaxError when it is none, RecursionError when it is nested too deep."""
    return (_HTML if name == "html" else _PLAIN).from_string(source)


@dataclass(frozen=True)
class Templates:
    """The built-in templates, but for those of one's `own`."""

    own: Mapping[str, Template] = field(default_factory=lambda: MappingProxyType({}))

    def render(self, name: str, words: Mapping[str, Any]) -> str:
        """Return the text of this part of the message."""
        own = self.own.get(name)
        if own:
            try:
                return rendered(own, words).strip()
            except Exception as error:  # noqa: BLE001 - a part of delivering, and whoever wrote it may divide by zero
                log.error("messages/%s.txt: %s: %s; the built-in template is used", name, type(error).__name__, error)
        return _BUILT_IN[name].render(words).strip()


_BUILT_IN = {name: compiled(name, (_FOLDER / f"{name}.txt").read_text("utf-8")) for name in NAMES}
BUILT_IN = Templates()
