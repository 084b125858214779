"""What people write by habit: a value where a list is meant, words of other monitors, an empty block."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from monitor.cli import cli
from monitor.config import Config, Environment, HttpCheck
from monitor.config.yamlfile import read_yaml
from monitor.model import Event
from tests.make import load

# Made once: making and checking it takes a second.
SCHEMA = Config.model_json_schema(by_alias=True)

ALONE = """
global: {channels: ops, notify_on: first_fail}
vantage: {sentinels: gateway}
channels:
  - {name: ops, type: email, to: ops@shop.example}
checks:
  - {name: gateway, type: icmp, host: 10.0.0.1, tags: prod, channels: ops, notify_on: recovered, depends_on: cache}
  - {name: cache, type: tcp, host: cache.example, port: 11211}
  - {name: address, type: dns, query: shop.example, expect: 10.0.0.80}
  - {name: front, type: group, members: cache}
  - {name: workers, type: agents, url: "http://w.example/", expect_agents: writer, name_field: id}
  - name: shop
    type: http
    url: http://shop.example/
    expect_status: 200
    expect_body: Welcome
    expect_headers: {name: X-Node, exists: true}
    expect_jsonpath: {path: $.status, in: ok}
    on_fail: {notify: first_fail, actions: {type: http_post, url: "http://shop.example/reset"}}
  - {name: rows, type: database, url: "sqlite:///shop.db", expect: {lt: 5}}
  - {name: keys, type: redis, url: "redis://cache.example", expect_keys: {key: jobs, max_length: 9}}
  - {name: unit, type: systemd, unit: nginx, state: active, sub_state: running}
  - {name: box, type: docker, container: shop, state: exited, expect_exit: 0}
  - {name: pin, type: tls, host: shop.example, fingerprint: FINGERPRINT}
""".replace("FINGERPRINT", "ab" * 32)


def test_a_value_alone_is_a_list_of_one() -> None:
    loaded = load(ALONE)
    checks: dict[str, Any] = dict(loaded.checks)
    gateway, shop = checks["gateway"], checks["shop"]

    assert loaded.config.general.channels == ("ops",)
    assert loaded.config.general.notify_on == (Event.FIRST_FAIL,)
    assert loaded.config.vantage is not None
    assert loaded.config.vantage.sentinels == ("gateway",)
    assert loaded.config.channels[0].to == ("ops@shop.example",)
    assert (gateway.tags, gateway.channels, gateway.depends_on) == (("prod",), ("ops",), ("cache",))
    assert gateway.notify_on == (Event.RECOVERED,)
    assert checks["address"].expect == ("10.0.0.80",)
    assert checks["front"].members == ("cache",)
    assert checks["workers"].expect_agents == ("writer",)
    assert shop.expect_body.contains == ("Welcome",)
    assert [rule.name for rule in shop.expect_headers] == ["X-Node"]
    assert [rule.in_ for rule in shop.expect_jsonpath] == [("ok",)]
    assert (shop.on_fail.notify, len(shop.on_fail.actions)) == ((Event.FIRST_FAIL,), 1)
    assert [rule.lt for rule in checks["rows"].expect] == [5]
    assert [rule.key for rule in checks["keys"].expect_keys] == ["jobs"]
    assert checks["unit"].sub_state == ("running",)
    assert checks["box"].state == ("exited",)
    assert checks["pin"].fingerprint == ("ab" * 32,)


def test_the_schema_accepts_a_value_alone_and_a_list_of_it_and_nothing_else() -> None:
    check = jsonschema.Draft202012Validator(SCHEMA)
    values = read_yaml(ALONE).value
    check.validate(values)
    values["checks"][0] |= {"tags": ["prod", "eu"], "depends_on": ["cache"]}
    check.validate(values)

    for key, wrong in (("tags", {"a": "b"}), ("tags", [["prod"]]), ("notify_on", "first_fial")):
        broken = values | {"checks": [values["checks"][0] | {key: wrong}]}
        assert not check.is_valid(broken), (key, wrong)
    assert not check.is_valid(values | {"vantage": {"sentinels": []}})


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("depends_on: shp", "depends_on: unknown check 'shp' (did you mean 'shop'?)"),
        ("channels: opps", "unknown channel 'opps' (did you mean 'ops'?); known: "),
        ("tags: 5", "tags: expected a text (put it in quotes), got 5"),
        (
            "notify_on: first_fial",
            "notify_on: expected 'first_fail', 'recovered', 'deadline_miss' or 'warn', got 'first_fial'",
        ),
        ("expect_jsonpath: {pth: $.a}", "expect_jsonpath: unknown key 'pth' (did you mean 'path'?)"),
    ],
)
def test_what_is_wrong_with_a_value_alone_has_its_line(keys: str, error: str, tmp_path: Path) -> None:
    text = f"""
channels: [{{name: ops, type: slack, url: "http://hooks"}}]
checks:
  - {{name: shop, type: http, url: "http://shop.example/"}}
  - name: db
    type: http
    url: http://db.example/
    {keys}
"""
    with pytest.raises(ValueError, match=r"checks\.yaml") as caught:
        load(text)

    assert any(line.startswith(f"checks.yaml:8: check 'db': {error}") for line in str(caught.value).splitlines())


def test_a_parent_alone_that_for_each_fills_in_is_said_where_it_is_listed() -> None:
    text = """checks:
  - name: db ((parent))
    type: tcp
    host: db
    port: 1
    depends_on: ((parent))
    for_each:
      parent:
        - nowhere
"""
    with pytest.raises(ValueError, match=r"^checks\.yaml:9: check 'db nowhere': depends_on: unknown check 'nowhere'"):
        load(text)


def test_a_text_alone_is_what_the_body_contains_and_a_list_all_of_it() -> None:
    loaded = load("""
checks:
  - {name: a, type: http, url: "http://a", expect_body: [Welcome, Shop]}
  - {name: b, type: heartbeat, key: 3f0c9a6e-5f7b, period: 1h, expect_body: done}
""")

    assert loaded.checks["a"].expect_body.contains == ("Welcome", "Shop")  # type: ignore[attr-defined]
    assert loaded.checks["b"].expect_body.contains == ("done",)  # type: ignore[attr-defined]


def test_the_limits_of_a_check_and_those_that_are_built_in_may_meet() -> None:
    loaded = load("""
global: {thresholds: {api_warn_ms: 1000}}
checks:
  - {name: a, type: http, url: "http://a", warn_ms: 500, crit_ms: 500}
  - {name: b, type: http, url: "http://b", crit_ms: 500}
  - {name: c, type: tls, host: c, crit_days: 30}
  - {name: d, type: tls, host: d, warn_days: 5, crit_days: null}
  - {name: e, type: host, metric: disk, warn_percent: 80}
""")

    assert len(loaded.checks) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("checks:\n", "checks.yaml holds no checks: nothing is watched."),
        ("checks: []\n", "checks.yaml holds no checks: nothing is watched."),
        ("checks: [{name: a, type: ssh, host: a}]", "checks.yaml holds: 1 check."),
        ("checks: [{name: a, type: ssh, host: a}, {name: b, type: ssh, host: b}]", "checks.yaml holds: 2 checks."),
    ],
)
def test_validate_says_how_many_checks_a_file_holds(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text(text)

    done = CliRunner().invoke(cli, ["--config", str(tmp_path / "checks.yaml"), "validate"])

    assert (done.exit_code, done.output.strip()) == (0, said)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\{HOST}", "{HOST}"),
        (r"\${HOST}", "${HOST}"),
        (r"\${NOWHERE:-other}", "${NOWHERE:-other}"),
        (r"\{NOWHERE} {HOST}", "{NOWHERE} web-1"),
        (r"\{host} \d{2} \\n", r"\{host} \d{2} \\n"),
        ("pa$$word $HOST $", "pa$$word $HOST $"),
        ("{RAW}", r"\{HOST} {HOST}"),
    ],
)
def test_a_backslash_keeps_braces_as_they_are_written(written: str, read: str) -> None:
    environment = Environment({"HOST": "web-1", "RAW": r"\{HOST} {HOST}"})

    assert environment.expand(written) == (read, [])


def test_a_literal_name_in_braces_reaches_a_password_and_a_body() -> None:
    check = load(r"""
checks:
  - name: a
    type: http
    url: http://a
    basic: {username: u, password: 'pa$$\{WORD}'}
    body: "hello \\${NAME}"
""").checks["a"]

    assert isinstance(check, HttpCheck)
    assert check.basic is not None
    assert check.basic.password.get_secret_value() == "pa$${WORD}"
    assert check.body == "hello ${NAME}"
