"""A block of `rules:`, the facts that its condition may name, and the rules that come with Greenwall.

A condition is CEL. In it every number is fractional, so that `response_time_ms > expected_ms * 2` can be written as
people write it: CEL itself multiplies no fraction by a whole number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from monitor.config.expression import STRING, CompiledExpression, compile_expression
from monitor.config.fields import Block, Count, Name, Number, SeverityField, Wait
from monitor.config.kinds import CHECK_MODELS
from monitor.config.matching import Match
from monitor.model import Category, Severity, Status
from monitor.units import did_you_mean

# Known of every check.
VARIABLES = (
    "status",
    "kind",
    "response_time_ms",
    "expected_ms",
    "consecutive_failures",
    "uptime_24h",
    "critical",
    "severity",
    "name",
    "group",
    "type",
    "tags",
    "code",
    "threshold",
    "flags",
    "paused",
    "maintenance",
    "flapping",
)
# What probes observe, each kind its own; a test holds this against their source.
_OBSERVED = """
    address agents answer answers available_gib blocked_clients busy bytes cert_days cert_issuer cert_names
    cert_not_after cert_sha256 cert_subject chain_ends_with chain_not_after changed_at close_code connected_clients
    connected_replicas connections consumers container cores count cpu_percent depth disk_percent due_at ended error
    evicted_keys exit_code exit_status extensions final_url free_gib free_inodes greeting grpc_status health
    http_version idle image inode_percent job_id job_state lag last_success_at limited load load1 load5 load15
    loss_percent master_link max_clients max_connections members_down members_in_all memory_bytes memory_percent
    messages messages_ready messages_unacknowledged mounted offline oldest_age_s path pending per_core percent rcode
    received refusal rejected_connections replication_lag_s restarts result retry_after_s role rows rss_mib
    rtt_ms_avg rtt_ms_max rtt_ms_min run_s runs sent server skipped software ssh_version started_at state sub_state
    subprotocol subscribed swap_percent tcp tls_error tls_version token_status token_url topic total_gib ttl unit
    uptime_s used_gib version with_key written_s_ago
"""
OBSERVED = tuple(_OBSERVED.split())
# Those that are true or false, and may stand alone in a condition.
TRUTHS = ("critical", "paused", "maintenance", "flapping", "limited", "mounted", "subscribed", "tcp", "with_key")
# Their names are the target's or the file's: `perfdata_load1`, `steps_login_ms`, `phases_dns`, `members_shop`.
_OPEN = re.compile(r"(?:perfdata|steps|phases|members)_\w+")
_OTHER_WORDS = {
    "response_time": "response_time_ms",
    "latency_ms": "response_time_ms",
    "expected": "expected_ms",
    "expected_response_time": "expected_ms",
    "uptime": "uptime_24h",
    "uptime_percentage": "uptime_24h",
    "cpu_usage": "cpu_percent",
    "memory_usage": "memory_percent",
    "disk_usage": "disk_percent",
}
# These rules are the check's own alert, which keys of the check decide on.
OWN_ALERT = {
    "service_down": "a check that is FAIL opens its own alert: its severity is `severity` of the check, when it is "
    "believed is `retries` and `fail_after`, who is told `notify_on`",
    "critical_service_down": "a check that is FAIL opens its own alert: a check with `severity: critical` is critical",
    "service_recovery": "whoever was told of an alert is told that it is over: `notify_on` of the check without "
    "`recovered` ends that",
}
# Severity as in the document that they come from; how much three failures matter is for the check to say.
BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "high_response_time": {
        "condition": "response_time_ms > expected_ms * threshold",
        "threshold": 2.0,
        "times": 3,
        "severity": Severity.P3,
        "category": Category.PERFORMANCE,
        "message": "answers take {response_time_ms} ms, more than {threshold} times the expected {expected_ms} ms",
    },
    "consecutive_failures": {
        "condition": "consecutive_failures >= threshold",
        "threshold": 3.0,
        "message": "{consecutive_failures} failures in a row",
    },
    "low_uptime": {
        "condition": "uptime_24h < threshold",
        "threshold": 95.0,
        "severity": Severity.P3,
        "category": Category.AVAILABILITY,
        "message": "up {uptime_24h} % of the last 24 hours, expected at least {threshold} %",
    },
}
# What of CEL gives true or false, or whatever a branch does.
_ASKING = frozenset(
    {"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in", "_?_:_", "@not_strictly_false"}
    | {"contains", "startsWith", "endsWith", "matches"}
)
EXAMPLE = "response_time_ms > expected_ms * 2"
PLACE = re.compile(r"\{([a-z_]\w*)\}")
_STATUS = re.compile(r"""(?<![\w.])status\s*[!=]=\s*(['"])(.*?)\1""")
_TOKEN = re.compile(rf"(?P<text>{STRING})|(?P<word>[A-Za-z_]\w*)|(?P<number>\d[\w.]*(?:(?<=[eE])[+-]\d+)?)", re.DOTALL)
_INDEX = re.compile(r"[\w\])]\s*\[\s*\Z|[.\w]\Z")


def compile_condition(text: str) -> CompiledExpression:
    """Return the condition for use, its numbers fractional; ValueError that says what is wrong and where."""
    known = (*VARIABLES, *OBSERVED, *sorted(set(_OPEN.findall(text))))
    # First as it was written, so that a mistake is told at its own place.
    compile_expression(text, known, EXAMPLE)
    return compile_expression(_with_fractions(text), known, EXAMPLE)


def is_truth(condition: str) -> bool:
    """Return whether this condition, which compiles, can be true or false: it compares, asks, or names what is."""
    word = condition.strip(" ()\t\n")
    if word.isidentifier():
        return word in TRUTHS or _OPEN.fullmatch(word) is not None
    return bool(_ASKING.intersection(compile_condition(condition).program.functions())) or "has(" in condition


def _with_fractions(text: str) -> str:
    def fraction(match: re.Match[str]) -> str:
        is_whole = (match["number"] or "").isdigit() and not _INDEX.search(text[: match.start()])
        return f"{match[0]}.0" if is_whole else match[0]

    return _TOKEN.sub(fraction, text)


def _condition(value: str) -> str:
    for word in _unknown_words(value):
        raise ValueError(f"unknown variable {word!r} (did you mean {_OTHER_WORDS[word]!r}?)")
    if wrong := next((said[2] for said in _STATUS.finditer(value) if said[2] not in set(Status)), None):
        raise ValueError(f"status: expected OK, WARN, FAIL or UNKNOWN, got {wrong!r}; what is down is FAIL")
    compile_condition(value)
    return value


def _unknown_words(text: str) -> list[str]:
    bare = re.sub(STRING, "''", text, flags=re.DOTALL)
    return [word for word in _OTHER_WORDS if re.search(rf"(?<![\w.]){word}\b(?!\s*\()", bare)]


def check_fact(name: str, key: str) -> None:
    """Raise ValueError, which begins with the key that names it, when no check can have this fact."""
    known = (*VARIABLES, *OBSERVED)
    if name not in known and not _OPEN.fullmatch(name):
        near = f" (did you mean {_OTHER_WORDS[name]!r}?)" if name in _OTHER_WORDS else did_you_mean(name, known)
        raise ValueError(f"{key}: unknown variable {name!r}{near}; known: {', '.join(VARIABLES)}")


Condition = Annotated[
    str, AfterValidator(lru_cache(maxsize=1000)(_condition)), WithJsonSchema({"type": "string", "minLength": 1})
]


class RuleBlock(Block):
    """An alert on facts of a check, beside its own verdict. What it does not say is taken from the built-in rule of
    its name, if there is one.
    """

    name: Name = Field(description="unique; the alert's type")
    condition: Condition | None = Field(
        None, description="CEL over a check's facts, such as `response_time_ms > expected_ms * 2`"
    )
    match: Match = Field(Match.model_construct(), description="which checks; all without it")
    threshold: Number | None = Field(None, description="a number that the condition may name as `threshold`")
    value: str | None = Field(None, description="the fact that is compared with it: its overage gives the severity")
    lasts: Wait = Field(0.0, alias="for", description="how long the condition must hold")
    keep_firing_for: Wait = Field(0.0, description="how long it must not hold before it is over")
    times: Count = Field(1, ge=1, description="how many verdicts in a row must fulfil it, and how many end it")
    severity: SeverityField | None = Field(None, description="P1 to P4; without it by overage, else the check's")
    category: Category | None = Field(None, description="kind of trouble; the check's without it")
    message: str = Field("", max_length=500, description="what is said; `{fact}` is replaced by its value")
    recommendations: tuple[str, ...] = Field((), description="what to do; chosen by what it is about without it")
    enabled: bool = Field(True, description="false: known, but not asked")

    @property
    def complete(self) -> Mapping[str, Any]:
        """Every key but the name, with what the built-in rule of that name says."""
        own = {key: getattr(self, key) for key in RuleBlock.model_fields if key != "name"}
        built_in = BUILT_IN.get(self.name, {})
        return own | {key: value for key, value in built_in.items() if key not in self.model_fields_set}

    @model_validator(mode="after")
    def _is_a_rule(self) -> Self:
        if self.name in OWN_ALERT:
            raise ValueError(f"name: {self.name} is no rule of its own: {OWN_ALERT[self.name]}")
        if self.name in CHECK_MODELS:
            raise ValueError(f"name: {self.name} is the type of a check's own alerts; choose another name")
        said = self.complete
        condition, threshold = said["condition"], said["threshold"]
        if condition is None:
            raise ValueError(f"condition: expected one, got none; built-in rules are {', '.join(BUILT_IN)}")
        for key, names in (("value", [self.value] if self.value else []), ("message", PLACE.findall(self.message))):
            for name in names:
                check_fact(name, key)
        names_it = re.search(r"\bthreshold\b", f"{condition} {said['message']}") is not None
        if names_it and threshold is None:
            raise ValueError("threshold: expected a number, for the condition or the message names it")
        if threshold is not None and not names_it and not self.value:
            raise ValueError("threshold: expected a condition that names `threshold`, or `value` beside it")
        if self.value and threshold is None:
            raise ValueError("value: expected `threshold` beside it")
        return self


def built_in_rules() -> tuple[RuleBlock, ...]:
    """Return the rules that hold without `rules:`; their conditions are not compiled, see `monitor.rules`."""
    return tuple(
        RuleBlock.model_construct(_fields_set={"name", *keys}, name=name, **keys) for name, keys in BUILT_IN.items()
    )
