"""`on_fail:`: what may be tried once a failure is confirmed, and what holds it back. One block for each action."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from monitor.config.expression import compile_expression
from monitor.config.fields import Block, Count, Duration, Many, Name, Wait, WebUrl
from monitor.config.machine import Command, Container, Unit, UnixSocket, Variables
from monitor.model import Event

# What `when` may look at.
FACTS = (
    "status", "kind", "code", "latency_ms", "consecutive_failures", "down_s", "attempt", "severity", "group", "tags",
)  # fmt: skip
ActionType = Literal["http_post", "command", "systemd_restart", "docker_restart"]


def _when(value: str) -> str:
    compile_expression(value, FACTS, "kind == 'connect'")
    return value


class Action(Block):
    """What every action has."""

    # Each action narrows it to its own word.
    type: str = Field(description=f"what is done: {', '.join(f'`{name}`' for name in get_args(ActionType))}")
    when: Annotated[str, AfterValidator(_when)] | None = Field(
        None, description=f"only if this is true: CEL over {', '.join(FACTS)}, such as `kind == 'connect'`"
    )
    timeout: Duration = Field(10.0, description="give up after this long")
    verify: Wait = Field(60.0, description="time in which it must help; the check is looked at at once and at its end")
    attempts: Count = Field(1, ge=1, le=100, description="runs for one alert; each after the one before did not help")
    cooldown: Duration = Field(300.0, description="least time between two runs for one check")
    stop_after: Count = Field(
        3, ge=1, le=100, description="so many runs in a row without help end it, until somebody runs it by hand"
    )
    lock: Name | None = Field(None, description="of those with the same lock one runs at a time; its target without it")
    flapping: bool = Field(False, description="true: it runs also while the check flaps")
    dry_run: bool = Field(False, description="true: it only says what it would do")

    @property
    def target(self) -> str:
        """What it acts on, without what may be secret: two that act on the same have the same."""
        raise NotImplementedError


class HttpPost(Action):
    """POST to a URL. An answer of 200 to 299 is a run; redirects are not followed."""

    type: Literal["http_post"]
    url: WebUrl = Field(description="where to POST")
    payload: Any = Field(None, description="JSON body; none is sent without it")
    headers: dict[str, str] = Field(default_factory=dict, description="headers to send")

    @property
    def target(self) -> str:
        bare, _, query = self.url.partition("#")[0].partition("?")
        shown = re.sub(r"(?<=://)[^/@]*@", "", bare)
        return f"{shown}?{_mark(query)}" if query else shown


class CommandAction(Action):
    """Run a program of this machine; exit code 0 is a run.

    No shell has a part in it. Its environment is `env` and Greenwall's PATH, HOME and LANG, none of its secrets; stdin
    is empty; by its timeout the program and its process group are ended.
    """

    type: Literal["command"]
    command: Command = Field(
        description="program and arguments: a list, or a text that is split as a shell would, and goes to no shell"
    )
    env: Variables = Field(
        default_factory=dict, repr=False, description="environment variables, besides PATH, HOME and LANG"
    )
    cwd: str | None = Field(None, description="folder to run it in; without it that of `checks.yaml`")
    timeout: Duration = Field(60.0, description="give up after this long")

    @property
    def target(self) -> str:
        # The arguments may be secret; but `sudo a` and `sudo b` are two.
        return f"{self.command[0]} ({_mark(*self.command)})"


class SystemdRestart(Action):
    """Restart a unit of this machine by `systemctl restart`.

    The user that Greenwall runs as must be allowed to: as root, by a polkit rule, or with `user: true` for a unit of
    its own.
    """

    type: Literal["systemd_restart"]
    unit: Unit = Field(description="name of the unit; `.service` may be left out")
    user: bool = Field(False, description="true: a unit of the user that Greenwall runs as")
    timeout: Duration = Field(60.0, description="give up after this long")

    @property
    def target(self) -> str:
        name = self.unit if "." in self.unit else f"{self.unit}.service"
        return f"user's {name}" if self.user else name


class DockerRestart(Action):
    """Restart a container of Docker or Podman over its Unix socket.

    Greenwall must be allowed to use the socket, which makes whoever is as good as root on the machine.
    """

    type: Literal["docker_restart"]
    container: Container = Field(description="name or id of the container")
    socket: UnixSocket = Field("/var/run/docker.sock", description="path of the Unix socket of Docker or Podman")
    timeout: Duration = Field(60.0, description="give up after this long")

    @property
    def target(self) -> str:
        return self.container


AnyAction = Annotated[HttpPost | CommandAction | SystemdRestart | DockerRestart, Field(discriminator="type")]
ACTION_MODELS: dict[str, type[Action]] = {
    "http_post": HttpPost,
    "command": CommandAction,
    "systemd_restart": SystemdRestart,
    "docker_restart": DockerRestart,
}


class OnFail(Block):
    actions: Many[AnyAction] = Field(
        (), description="remedies to try when a failure is confirmed, in this order: one when those before did not help"
    )
    hourly_budget: Count = Field(6, ge=1, le=1000, description="runs of all these actions in an hour at most")
    notify: Many[Event] = Field((), description="more events to send, besides `notify_on`")


def not_allowed(actions: Sequence[Action], allowed: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the index of each action whose type `global:` does not allow, and which line would."""
    for index, action in enumerate(actions):
        if action.type not in allowed:
            line = f"remedies: [{', '.join((*allowed, action.type))}]"
            yield index, f"{action.type} is not allowed; write `{line}` under `global:` to allow it"


def _mark(*parts: str) -> str:
    """Return four characters that tell texts apart which are not to be shown."""
    return sha256("\0".join(parts).encode()).hexdigest()[:4]
