"""`type: agents`."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Duration, HeaderName, JsonPath, Many, Name, Number, OneLine, Texts, WebUrl
from monitor.model import Category

AgentState = Literal["idle", "busy", "error", "offline"]
STATES: tuple[AgentState, ...] = ("idle", "busy", "error", "offline")
_WORDS: dict[AgentState, str] = {
    "idle": "idle ready available waiting online",
    "busy": "busy working running active processing",
    "error": "error failed failing unhealthy crashed stuck",
    "offline": "offline stopped disconnected dead terminated unreachable inactive",
}


def folded(word: str) -> str:
    """Return a status word as it is compared: without case and outer blanks."""
    return word.strip().casefold()


def _lower(words: dict[str, AgentState]) -> dict[str, AgentState]:
    return {folded(word): state for word, state in words.items()}


class AgentsCheck(CheckBase):
    """Read a registry of agents or workers: how many are idle, busy, in error or offline, and how much work waits.

    The registry is JSON, by `url` or in a `file`: a list of objects, or an object of them by name, at the root or under
    `agents`, `workers` or `registry`; otherwise say where by `agents_path`.

    ```json
    {"agents": [{"name": "writer", "status": "busy", "last_seen": "2026-11-21T14:03:07Z", "queue_depth": 3}]}
    ```

    A text in place of an object is a status alone, and numbers by state are counts: `{"idle": 3, "busy": 2}`. Idle are
    also ready, available, waiting and online; busy: working, running, active, processing; error: failed, failing,
    unhealthy, crashed, stuck; offline: stopped, disconnected, dead, terminated, unreachable, inactive. Further words in
    `states`; a word that is not known counts as error. An agent without a status is FAIL/content, and so is
    what a limit needs and cannot be read: a time without an offset from UTC, a depth that is no number.

    The depth of the queue is the sum over the agents, or, where no agent has one, `queue_depth`, `queue` or
    `pending_tasks` beside them.
    """

    example: ClassVar[str] = """\
- name: agents
  type: agents
  url: http://orchestrator.example/agents
  min_available: 2
  stale_after: 2m
  warn_depth: 50
  crit_depth: 500
"""
    trouble: ClassVar[Category] = Category.APPLICATION

    type: Literal["agents"]
    url: WebUrl | None = Field(None, description="where the registry is; or `file`")
    file: str | None = Field(None, min_length=1, description="file of the registry, beside the configuration")
    headers: dict[HeaderName, OneLine] = Field(default_factory=dict, description="url: headers to send")
    agents_path: JsonPath | None = Field(None, description="JSONPath of the agents: of their list, or of each")
    name_field: Texts = Field(("name", "id", "agent_id"), description="field of an agent's name; the first that is")
    status_field: Texts = Field(("status", "state"), description="field of its status")
    seen_field: Texts = Field(("last_seen", "last_heartbeat"), description="field of the time when it was last seen")
    depth_field: Texts = Field(("queue_depth", "queue", "pending_tasks"), description="field of how much waits for it")
    depth_path: JsonPath | None = Field(None, description="JSONPath of the whole queue's depth, in place of the sum")
    states: Annotated[dict[str, AgentState], AfterValidator(_lower)] = Field(
        default_factory=dict, description="further status words, each with idle, busy, error or offline"
    )
    expect_agents: Many[Name] = Field((), description="names that must be in the registry, whatever their state")
    stale_after: Duration | None = Field(None, description="an agent that was last seen longer ago is offline")
    max_age: Duration | None = Field(None, description="file: written longer ago is FAIL")
    min_available: Count = Field(1, description="fewer agents that are idle or busy are FAIL")
    warn_available: Count | None = Field(None, description="fewer are WARN")
    warn_error: Count | None = Field(0, description="more agents in error are WARN; null lets any number pass")
    crit_error: Count | None = Field(None, description="more agents in error are FAIL")
    warn_offline: Count | None = Field(None, description="more agents offline are WARN")
    crit_offline: Count | None = Field(None, description="more agents offline are FAIL")
    warn_depth: Number | None = Field(None, ge=0, description="a deeper queue is WARN")
    crit_depth: Number | None = Field(None, ge=0, description="a deeper queue is FAIL")
    warn_agent_depth: Number | None = Field(None, ge=0, description="a deeper queue of one agent is WARN")
    crit_agent_depth: Number | None = Field(None, ge=0, description="a deeper queue of one agent is FAIL")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    verify: bool = Field(True, description="https: the certificate must be valid")
    ca_file: str | None = Field(None, description="https: trust this CA bundle instead of the system's")
    server_name: OneLine | None = Field(
        None, min_length=1, description="https: ask for this name and expect its certificate, instead of the URL's host"
    )

    @property
    def target(self) -> str:
        return self.url or self.file or ""

    @cached_property
    def words(self) -> dict[str, AgentState]:
        """State by status word."""
        known = {word: state for state, words in _WORDS.items() for word in words.split()}
        return {**known, **self.states}

    @property
    def limits_depth(self) -> bool:
        return self.warn_depth is not None or self.crit_depth is not None

    @property
    def limits_agent_depth(self) -> bool:
        return self.warn_agent_depth is not None or self.crit_agent_depth is not None

    @model_validator(mode="after")
    def _has_one_source(self) -> AgentsCheck:
        if (self.url is None) is (self.file is None):
            raise ValueError(f"expected one of url and file, got {'both' if self.url else 'none'}")
        if self.url and self.max_age is not None:
            raise ValueError("max_age: expected file beside it, got url; use stale_after")
        if self.file and self.headers:
            raise ValueError("headers: expected url beside them, got file")
        return self
