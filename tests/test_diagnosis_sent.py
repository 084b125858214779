"""Commands that send what a check sends: its method, address and the shape of its body, every value a variable."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest

from monitor.config import CHECK_MODELS, CheckBase
from monitor.diagnosis import explain
from monitor.diagnosis.target.sent import in_shell, sent
from monitor.model import Finding, Kind, Outcome
from tests.test_diagnosis import bad
from tests.test_diagnosis_kinds import commands, seen

LOGIN = {
    "name": "login",
    "url": "https://shop.example/api/login",
    "method": "POST",
    "json": {"user": "monitor", "password": "pw123456", "pin": 9876, "remember": True, "scopes": ["all"]},
}
ORDER = {
    "name": "order",
    "url": "https://shop.example/api/orders/{{number}}",
    "method": "DELETE",
    "bearer": "{{token}}",
}


def walk(*steps: dict[str, Any]) -> CheckBase:
    first = {"name": "home", "url": "https://shop.example/", "save": {"token": "$.t", "number": "$.n"}}
    return CHECK_MODELS["steps"].model_validate({"name": "walk", "type": "steps", "steps": [first, *steps]})


def refused(step: str, code: int = 401, kind: Kind = Kind.AUTH) -> Outcome:
    found = Finding(f"step {step!r}: status", "200 to 299", str(code))
    return bad(kind, f"step {step!r}: status is {code}", found, code=code, steps={step: {"status": "FAIL"}})


def test_a_login_step_is_sent_by_hand_as_the_step_sends_it() -> None:
    text = explain(seen(refused("login"), walk(LOGIN)))
    first = commands(text)[0]
    assert "https://shop.example/api/login" in first
    assert "OPTIONS" not in text
    assert "Bearer $TOKEN" not in text
    assert "Content-Type: application/json" in first
    for name in ("USER", "PASSWORD", "PIN", "SCOPES"):
        assert f'"$LOGIN_{name}"' in first
    assert "set `LOGIN_USER`, `LOGIN_PASSWORD`, `LOGIN_PIN`, `LOGIN_SCOPES` first" in text
    for secret in ("monitor", "pw123456", "9876"):
        assert secret not in text.replace("-m monitor", "")


def test_the_shell_makes_the_body_of_the_step() -> None:
    command = commands(explain(seen(refused("login"), walk(LOGIN))))[0]
    values = {"LOGIN_USER": "a b", "LOGIN_PASSWORD": "$(reboot)'`", "LOGIN_PIN": "1", "LOGIN_SCOPES": "x"}
    shell = subprocess.run(
        ["sh", "-c", f"curl() {{ printf '%s\\n' \"$@\"; }}; {command}"],
        env=values, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    words = shell.stdout.splitlines()
    body = words[words.index("-d") + 1]
    assert json.loads(body) == {
        "user": "a b", "password": "$(reboot)'`", "pin": 1, "remember": True, "scopes": ["x"]
    }  # fmt: skip
    assert words[-1] == "https://shop.example/api/login"


def test_what_a_step_changes_is_said_before_it_is_sent_again() -> None:
    text = explain(seen(refused("order", 500, Kind.STATUS), walk(ORDER)))
    assert "-X OPTIONS" in commands(text)[0]
    assert "only if it may be done once more" in text
    own = commands(text)[1].strip()
    assert own.startswith('curl -sS -m 10 -X DELETE -i --oauth2-bearer "$ORDER_TOKEN" ')
    assert own.endswith('https://shop.example/api/orders/"$NUMBER"')
    assert "{{" not in text.split("### What to do next")[1]


def test_a_step_that_only_reads_needs_no_warning() -> None:
    text = explain(
        seen(refused("list"), walk({"name": "list", "url": "https://shop.example/l", "bearer": "{{token}}"}))
    )
    assert "set `LIST_TOKEN` first" in text
    assert "once more" not in text


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, ""),
        ({"bearer": "x"}, '--oauth2-bearer "$A_TOKEN"'),
        ({"basic": {"username": "u", "password": "p"}}, '-u "$A_USERNAME":"$A_PASSWORD"'),
        ({"headers": {"X-Key": "x", "Accept": "text/html"}}, "-H X-Key:\"$A_X_KEY\" -H 'Accept: text/html'"),
        ({"body": "x"}, '-d "$A_BODY"'),
        ({"form": {"user name": "x", "é": "y"}}, "--data-urlencode 'user name='\"$A_USER_NAME\" "
         "--data-urlencode 'é='\"$A_VALUE\""),
        ({"json": ["x", "y"]}, "-H 'Content-Type: application/json' -d '[\"'\"$A_VALUE\"'\", \"'\"$A_VALUE_2\"'\"]'"),
        ({"json": {str(i): "x" for i in range(30)}}, "-H 'Content-Type: application/json' -d @body.json"),
        ({"json": {"it's": None}}, "-H 'Content-Type: application/json' -d '{\"it'\"'\"'s\": null}'"),
    ],
)  # fmt: skip
def test_the_shape_of_what_is_sent(keys: dict[str, Any], words: str) -> None:
    assert in_shell(sent(keys, "a"), shlex.quote) == words


def test_an_http_check_is_asked_with_the_credentials_that_it_has() -> None:
    keys = {"name": "a", "type": "http", "url": "https://shop.example/", "headers": {"X-Key": "k3y-value"}}
    text = explain(seen(bad(Kind.AUTH, "status is 401", code=401), CHECK_MODELS["http"].model_validate(keys)))
    assert 'curl -sS -m 10 -i -H X-Key:"$CHECK_X_KEY" https://shop.example/' in text
    assert "Bearer" not in text
    assert "k3y" not in text
