"""No secret of a check, wherever the file has it, comes into its evidence, its prompt, its advice or what a page shows.

Nothing is redacted here: what stands in the configuration must not be taken along in the first place.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from monitor.config import CHECK_MODELS, CheckBase, DiagnosisBlock, Environment
from monitor.diagnosis import explain, gather
from monitor.diagnosis.ask import prepare
from monitor.diagnosis.target import target_of
from monitor.model import Finding, Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.test_diagnosis import NOW, course, ok, same, state_after
from tests.test_probes import NOWHERE, check_of_nowhere

SECRET = "xyzzy-plugh-7493"
URL = f"http://me:{SECRET}@{NOWHERE}/health?token={SECRET}&page=2#{SECRET}"
LOGIN = {"username": f"u{SECRET}", "password": SECRET}
HEADERS = {"X-Api-Key": SECRET, "Cookie": f"session={SECRET}"}
OAUTH2 = {"token_url": URL, "client_id": f"c{SECRET}", "client_secret": SECRET, "scope": f"s{SECRET}"}
STEP = {"name": "one", "url": URL, "headers": HEADERS}
REMEDY = {"type": "http_post", "url": URL, "headers": HEADERS, "payload": {"token": SECRET}}
# Where the keys of a kind may hold a secret; one check each.
HOLDERS: dict[str, list[dict[str, Any]]] = {
    "http": [
        {
            "url": URL,
            "headers": HEADERS,
            "query": {"key": SECRET},
            "bearer": SECRET,
            "proxy": f"http://u:{SECRET}@{NOWHERE}",
        },
        {"method": "POST", "body": SECRET, "basic": LOGIN},
        {"method": "POST", "json": {"password": SECRET}, "oauth2": OAUTH2},
        {"method": "POST", "form": {"password": SECRET}},
    ],
    "steps": [
        {"steps": [STEP | {"bearer": SECRET, "method": "POST", "json": {"password": SECRET}}]},
        {
            "steps": [
                STEP | {"basic": LOGIN, "query": {"k": SECRET}},
                STEP | {"name": "two", "body": SECRET, "always": True},
            ]
        },
        {"steps": [STEP | {"proxy": f"http://u:{SECRET}@{NOWHERE}", "form": {"a": SECRET}}]},
    ],
    "job": [{"status_url": URL.replace("/health", "/{job_id}")}],
    "websocket": [{"url": URL.replace("http", "ws", 1).partition("#")[0], "headers": HEADERS, "send": SECRET}],
    "service": [{"key": SECRET}, {"service": "slack", "key": SECRET, "url": f"http://{NOWHERE}"}],
    "agents": [{"url": URL, "headers": HEADERS}],
    "database": [
        {"url": f"postgresql://me:{SECRET}@{NOWHERE}/shop?password={SECRET}&options={SECRET}"},
        {"url": f"mysql+pymysql://u{SECRET}:{SECRET}@{NOWHERE}/shop"},
        {"url": f"postgresql://me:{SECRET}@/shop?host=/nowhere"},
    ],
    "redis": [
        {"url": f"rediss://u{SECRET}:{SECRET}@{NOWHERE}/0?password={SECRET}"},
        {"url": f"unix://u:{SECRET}@/nowhere/redis.sock"},
    ],
    "queue": [
        {"url": f"http://u{SECRET}:{SECRET}@{NOWHERE}"},
        {"url": f"redis://:{SECRET}@{NOWHERE}", "queue": None, "list": "jobs", "min_consumers": None},
    ],
    "mqtt": [LOGIN | {"client_id": f"c{SECRET}"}],
    "smtp": [LOGIN],
    "tcp": [{"send": f"AUTH {SECRET}"}],
    "udp": [{"send": f"AUTH {SECRET}"}, {"send": None, "send_hex": SECRET.encode().hex()}],
    "heartbeat": [{"key": SECRET}],
    "command": [{"command": ["/nowhere/check_it", "--password", SECRET], "env": {"PGPASSWORD": SECRET}}],
}
# Kinds that log in nowhere and send nothing of the file's own.
WITHOUT = {"dns", "tls", "icmp", "ssh", "grpc", "host", "systemd", "docker", "group"}
CHECKS = [(kind, keys) for kind, variants in HOLDERS.items() for keys in variants]


def check_with(kind: str, keys: dict[str, Any]) -> CheckBase:
    model = CHECK_MODELS[kind]
    example = check_of_nowhere(kind).model_dump(by_alias=True, exclude_unset=True)
    keys = {"on_fail": {"actions": [REMEDY]}} | keys
    return model.model_validate({key: value for key, value in (example | keys).items() if value is not None})


def types_in(annotation: Any) -> Iterator[type]:
    """Yield every class that stands in an annotation."""
    if isinstance(annotation, type):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from types_in(inner)


def secret_fields(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the keys of the model, and of those in it, that hold a secret by their type."""
    for name, field in model.model_fields.items():
        types = list(types_in(field.annotation))
        if SecretStr in types:
            yield (*path, name)
        for inner in types:
            if issubclass(inner, BaseModel):
                yield from secret_fields(inner, (*path, name))


def holds(keys: Any, path: tuple[str, ...]) -> bool:
    if isinstance(keys, list):
        return any(holds(one, path) for one in keys)
    if not path:
        return bool(keys == SECRET)
    return isinstance(keys, dict) and holds(keys.get(path[0]), path[1:])


def test_every_kind_is_looked_at_and_so_is_every_key_that_is_a_secret_by_its_type() -> None:
    assert HOLDERS.keys() | WITHOUT == CHECK_MODELS.keys()
    own = {(kind, path) for kind, model in CHECK_MODELS.items() for path in secret_fields(model)}
    assert len(own) >= 9
    assert [(kind, path) for kind, path in own if not holds(HOLDERS.get(kind, []), path)] == []


def outcomes_of(check: CheckBase, folder: Path) -> list[Outcome]:
    """What the probe sees where nobody listens, and each kind of failure with nothing of the file's in it."""
    found = Finding("it", "well", "not well")
    made = [
        Outcome(
            Status.UNKNOWN if kind in (Kind.UNCONFIGURED, Kind.INTERNAL, Kind.VANTAGE) else Status.FAIL,
            kind,
            "not well",
            5.0,
            {"dns": 1.0, "connect": 2.0},
            500,
            (found,),
        )
        for kind in Kind
    ]
    return [run_probe(check, Setting(folder, data=folder, allows_commands=True)), *made]


def shown(check: CheckBase, outcome: Outcome) -> str:
    """Everything of a diagnosis that anybody gets to see, and its objects as a traceback would print them."""
    results = course(*[ok()] * 5, outcome, name=check.name)
    state = state_after(results)
    checks: dict[str, CheckBase] = {check.name: check}
    evidence = gather(check.name, NOW, results, (), state, (), check, 3600.0, checks=checks, states={check.name: state})
    text = evidence.as_text(same)
    asked = prepare(text, DiagnosisBlock(), Environment({"OPENAI_API_KEY": "sk-another-0123456789"}))
    empty = gather(check.name, NOW, (), (), None, (), check, 3600.0)
    parts = (text, explain(evidence), explain(empty), asked.prompt, asked.system, state.message, outcome.message)
    return "\n".join((*parts, repr(evidence), repr(target_of(check)), repr(asked)))


@pytest.mark.parametrize(("kind", "keys"), CHECKS, ids=[f"{kind}-{i}" for i, (kind, _) in enumerate(CHECKS)])
def test_no_secret_of_a_check_is_shown(kind: str, keys: dict[str, Any], tmp_path: Path) -> None:
    check = check_with(kind, keys)
    hidden = (SECRET, SECRET.encode().hex())
    for outcome in outcomes_of(check, tmp_path):
        text = shown(check, outcome)
        assert [secret for secret in hidden if secret in text] == [], f"{outcome.kind}: {outcome.message}"


def test_a_secret_that_was_left_out_is_said_to_be() -> None:
    check = check_with("http", HOLDERS["http"][0])
    outcome = Outcome(Status.FAIL, Kind.STATUS, "status is 500", code=500)
    text = explain(gather("shop", NOW, course(ok(), outcome, name="shop"), (), None, (), check, 3600.0))
    assert (
        "Left out here, for secrets stay in `checks.yaml`: values of the URL's query, parameters that `query` adds, "
        "headers, " in text
    )
    assert "?token=…&page=…" in text
