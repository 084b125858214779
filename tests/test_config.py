"""`checks.yaml`: what is accepted, what it means, and exactly what is said of what is not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from monitor.config import (
    BUILT_IN_CHANNELS,
    CHECK_MODELS,
    Config,
    ConfigError,
    Environment,
    HostCheck,
    HttpCheck,
    HttpPost,
    JobCheck,
    JsonRule,
    load_config,
)
from monitor.config.yamlfile import read_yaml
from monitor.model import Event, Severity
from tests.make import load

CONFIGS = Path(__file__).parent / "configs"
BAD = sorted((CONFIGS / "bad").glob("*.yaml"))
SHIPPED = Path(__file__).parent.parent / "checks.yaml"
SEED2 = CONFIGS / "seed2.yaml"
BASE = "http://127.0.0.1:8000"
SECRETS = {"SHOP_TOKEN": "t0p-s3cret-value", "SHOP_PASSWORD": "it's\nmulti\\line"}


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_a_bad_file_is_refused_with_exactly_these_lines(path: Path) -> None:
    text = path.with_suffix(".txt").read_text(encoding="utf-8").replace("{types}", ", ".join(CHECK_MODELS))
    text = text.replace("{channels}", ", ".join(BUILT_IN_CHANNELS))
    expected = text.splitlines()

    with pytest.raises(ConfigError) as caught:
        load_config(path, Environment(SECRETS))

    assert caught.value.errors == expected
    assert str(caught.value) == "\n".join(expected)
    assert not any(part in str(caught.value) for value in SECRETS.values() for part in value.split())


def test_every_bad_file_has_its_lines_and_no_lines_are_left_over() -> None:
    assert BAD
    assert {path.stem for path in BAD} == {path.stem for path in (CONFIGS / "bad").glob("*.txt")}


def test_a_file_that_is_not_there_or_no_text_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^checks\.yaml: not found in .*; write one, or name it with --config$"):
        load_config(tmp_path / "checks.yaml")
    (tmp_path / "checks.yaml").write_bytes(b"checks:\r\n# \xc3\xbc\n# \xfcber \xff\n")
    with pytest.raises(ConfigError, match=r"^checks\.yaml:3: cannot be read: expected utf-8, got byte 0xfc; save it"):
        load_config(tmp_path / "checks.yaml")
    (tmp_path / "more.yaml").write_bytes(b"checks:\n\n\n- name: \xe9\n")
    (tmp_path / "checks.yaml").write_text("include: more.yaml\n")
    with pytest.raises(ConfigError, match=r"^more\.yaml:4: cannot be read: expected utf-8, got byte 0xe9"):
        load_config(tmp_path / "checks.yaml")


def test_the_second_seed_loads_unchanged_with_every_value() -> None:
    loaded = load_config(SEED2, Environment({"MOCKAPP_BASE": BASE}))
    general = loaded.config.general
    api, db, queue, job = loaded.checks.values()

    assert list(loaded.checks) == ["api-availability", "db-health", "queue-depth", "job"]
    assert (general.retries, general.retry_backoff_s) == (2, 5.0)
    assert (general.thresholds.api_warn_ms, general.thresholds.api_crit_ms) == (1000, 3000)

    assert isinstance(api, HttpCheck)
    assert (api.url, api.expect_status, api.severity) == (f"{BASE}/api/ping", (200,), Severity.P1)
    assert api.on_fail.actions == (HttpPost(type="http_post", url=f"{BASE}/admin/reset"),)
    assert api.on_fail.notify == (Event.FIRST_FAIL,)
    assert api.events == (Event.FIRST_FAIL, Event.RECOVERED)

    assert isinstance(db, HttpCheck)
    assert (db.url, db.severity) == (f"{BASE}/db/health", Severity.P2)
    assert db.expect_jsonpath == (JsonRule(path="$.ok", equals=True), JsonRule(path="$.latency_ms", lt=100))
    assert [rule.limits for rule in db.expect_jsonpath] == [{"equals": True}, {"lt": 100}]

    assert isinstance(queue, HttpCheck)
    assert (queue.url, queue.severity) == (f"{BASE}/queue/health", Severity.P2)
    assert queue.expect_jsonpath == (JsonRule(path="$.depth", lt=50), JsonRule(path="$.oldest_age_s", lt=300))

    assert isinstance(job, JobCheck)
    assert (job.status_url, job.severity) == (BASE + "/jobs/{job_id}/status", Severity.P1)
    assert (job.success_by, job.minutes_after_start, job.job_id_file) == (None, None, ".last_job_id")
    assert job.events == (Event.DEADLINE_MISS, Event.RECOVERED)

    for check in loaded.checks.values():
        assert (check.retries, check.retry_backoff_s, check.every) == (2, 5.0, 30.0)
        assert check.enabled
    for check in (api, db, queue):
        assert (check.warn_ms, check.crit_ms) == (1000, 3000)
    for check in (db, queue):
        assert check.events == (Event.FIRST_FAIL, Event.RECOVERED)
        assert (check.expect_status, check.on_fail.actions) == ((), ())


def test_the_shipped_file_loads_with_an_empty_environment() -> None:
    loaded = load_config(SHIPPED, Environment({}))

    assert loaded.config.demo
    assert loaded.environment.get("MOCKAPP_BASE") == BASE
    assert {"api-availability", "db-health", "queue-depth", "job", "cpu", "memory", "disk"} <= set(loaded.checks)
    assert isinstance(loaded.checks["disk"], HostCheck)
    assert loaded.folder == SHIPPED.parent


def test_a_demo_of_ones_own_is_not_replaced_by_the_bundled_one() -> None:
    text = "demo: true\ndemo_port: 8123\nchecks: [{name: a, type: http, url: '{MOCKAPP_BASE}/x'}]"

    assert load(text).checks["a"].url == "http://127.0.0.1:8123/x"  # type: ignore[attr-defined]
    assert load(text, {"MOCKAPP_BASE": "http://my"}).checks["a"].url == "http://my/x"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{HOST}/x", "web-1/x"),
        ("${HOST}/x", "web-1/x"),
        ("${HOST:-other}", "web-1"),
        ("${NOWHERE:-other}", "other"),
        ("${BLANK:-other}", "other"),
        ("${NOWHERE:-}", ""),
        ("${lower}", "small"),
        ("{HOST}-${HOST}", "web-1-web-1"),
        ("{job_id}", "{job_id}"),
        (r"^\d{2,3}[A-Z]{4}$", r"^\d{2,3}[A-Z]{4}$"),
        ('{"depth": {"$lt": 5}}', '{"depth": {"$lt": 5}}'),
        ("$HOST", "$HOST"),
        ("{}", "{}"),
    ],
)
def test_variables_are_filled_in_and_other_braces_stay(written: str, read: str) -> None:
    environment = Environment({"HOST": "web-1", "BLANK": "", "lower": "small"})

    assert environment.expand(written) == (read, [])


def test_variables_that_are_not_set_are_named_and_left_as_they_stand() -> None:
    assert Environment({"BLANK": ""}).expand("{A} ${B} ${BLANK}") == ("{A} ${B} ${BLANK}", ["A", "B", "BLANK"])


def test_a_variable_of_the_process_wins_over_the_file_beside_the_checks(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SHOP=http://from-file\nPORT=81\nexport QUOTED='a b'\n")
    (tmp_path / "checks.yaml").write_text("checks: [{name: a, type: http, url: '{SHOP}:${PORT}/x'}]")

    loaded = load_config(tmp_path / "checks.yaml", Environment.read(tmp_path, {"SHOP": "http://from-process"}))

    assert loaded.checks["a"].url == "http://from-process:81/x"  # type: ignore[attr-defined]
    assert loaded.environment.get("NOWHERE", "QUOTED") == "a b"


def test_the_environment_is_read_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("GREENWALL_TEST_SHOP=http://from-file\n")
    (tmp_path / "checks.yaml").write_text("checks: [{name: a, type: http, url: '{GREENWALL_TEST_SHOP}'}]")

    assert load_config(tmp_path / "checks.yaml").checks["a"].url == "http://from-file"  # type: ignore[attr-defined]
    monkeypatch.setenv("GREENWALL_TEST_SHOP", "http://from-process")
    assert load_config(tmp_path / "checks.yaml").checks["a"].url == "http://from-process"  # type: ignore[attr-defined]


def test_the_values_of_variables_are_not_shown_when_an_environment_is_printed() -> None:
    assert "s3cret" not in repr(Environment(SECRETS))


def test_secrets_are_taken_out_of_texts_and_other_words_stay() -> None:
    redact = Environment(SECRETS | {"SHORT_TOKEN": "abc", "HOST": "web-server"}).redactor()

    assert redact("got t0p-s3cret-value from web-server, abc") == "got *** from web-server, abc"
    assert redact("postgresql://ann:hunter2@db/shop") == "postgresql://***@db/shop"
    assert redact("Authorization: Bearer abcdef0123456789") == "Authorization: Bearer ***"
    assert redact('{"api_key": "abcdef", "depth": 5}') == '{"api_key": "***", "depth": 5}'
    assert redact("status is 503, expected 200") == "status is 503, expected 200"


@pytest.mark.parametrize("text", ["on", "off", "yes", "no", "23:59", "0o17", "0x1F", "1_000", "2026-11-21", "1.2.3"])
def test_what_yaml_1_1_would_turn_into_something_else_is_a_text(text: str) -> None:
    assert read_yaml(f"key: {text}").value == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("12", 12), ("-3", -3), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("~", None)],
)
def test_plain_scalars_of_yaml_1_2_have_their_types(text: str, value: object) -> None:
    read = read_yaml(f"key: {text}").value["key"]

    assert read == value
    assert type(read) is type(value)


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    text = """
checks:
  - &base {name: a, type: http, url: "http://a", every: 10s, tags: [x]}
  - <<: *base
    name: b
    every: 1m
"""
    a, b = load(text).checks.values()

    assert (a.every, b.every) == (10.0, 60.0)
    assert b.tags == ("x",)


def test_an_error_beside_a_merge_key_has_its_own_line() -> None:
    text = """checks:
  - &base {name: a, type: http, url: "http://a"}
  - <<: *base
    name: b
    evry: 1m
"""
    with pytest.raises(
        ConfigError, match=r"^checks\.yaml:5: check 'b': unknown key 'evry' \(did you mean 'every'\?\)$"
    ):
        load(text)


SHARED = {
    "every": ("45s", 45.0, "30s", 30.0),
    "timeout": ("3s", 3.0, "10s", 10.0),
    "retries": (7, 7, 2, 2),
    "retry_backoff_s": (1, 1.0, 5, 5.0),
    "severity": ("P1", Severity.P1, "P3", Severity.P3),
    "notify_on": (["recovered"], (Event.RECOVERED,), [e.value for e in Event], tuple(Event)),
    "channels": (["email"], ("email",), ["console"], ("console",)),
}


@pytest.mark.parametrize("key", SHARED)
def test_a_global_default_reaches_checks_and_the_checks_own_value_wins(key: str) -> None:
    everywhere, seen, own, own_seen = SHARED[key]
    check = {"type": "http", "url": "http://a"}
    # The own value is the one that a check has without `global:`; written down it must win all the same.
    checks = [check | {"name": "inherits"}, check | {"name": "says", key: own}]

    loaded = load(yaml.safe_dump({"global": {key: everywhere}, "checks": checks}))

    assert getattr(loaded.checks["inherits"], key) == seen
    assert getattr(loaded.checks["says"], key) == own_seen


def test_latency_limits_are_global_for_http_checks_and_null_lifts_them() -> None:
    loaded = load("""
global: {thresholds: {api_warn_ms: 100, api_crit_ms: 200}}
checks:
  - {name: a, type: http, url: "http://a"}
  - {name: b, type: http, url: "http://a", warn_ms: 50, crit_ms: null}
""")
    a, b = (check for check in loaded.config.checks if isinstance(check, HttpCheck))

    assert (a.warn_ms, a.crit_ms) == (100, 200)
    assert (b.warn_ms, b.crit_ms) == (50, None)


def test_channels_of_the_file_and_the_built_in_ones_may_be_named() -> None:
    loaded = load(f"""
channels: [{{name: ops, type: slack, url: "http://hooks"}}]
checks: [{{name: a, type: http, url: "http://a", channels: [ops, {", ".join(BUILT_IN_CHANNELS)}]}}]
""")

    assert loaded.checks["a"].channels == ("ops", *BUILT_IN_CHANNELS)


def test_one_status_code_or_many_and_a_rule_that_expects_null() -> None:
    loaded = load("""
checks:
  - name: a
    type: http
    url: HTTPS://a
    expect_status: [200, 204]
    expect_jsonpath: [{path: $.error, equals: null}]
""")
    check = loaded.checks["a"]

    assert isinstance(check, HttpCheck)
    assert check.expect_status == (200, 204)
    assert check.expect_jsonpath[0].limits == {"equals": None}


def test_rules_that_are_spelled_alike_are_one_and_others_are_not() -> None:
    loaded = load("""
checks:
  - {name: a, type: http, url: "http://a", expect_jsonpath: [{path: $.n, equals: 1}, {path: $.m, equals: null}]}
  - {name: b, type: http, url: "http://b", expect_jsonpath: [{path: $.n, equals: 1}, {path: $.m, exists: true}]}
  - {name: c, type: http, url: "http://c", expect_jsonpath: [{path: $.n, equals: true}, {path: $.n, equals: 1.0}]}
""")
    a, b, c = (check.expect_jsonpath for check in loaded.config.checks if isinstance(check, HttpCheck))

    assert a[0] is b[0]
    assert [rule.limits for rule in a] == [{"equals": 1}, {"equals": None}]
    assert [rule.limits for rule in b] == [{"equals": 1}, {"exists": True}]
    assert [repr(rule.equals) for rule in (*a[:1], *c)] == ["1", "True", "1.0"]


def test_a_check_knows_what_the_file_says_of_it_and_what_comes_from_global() -> None:
    check = load("global: {retries: 5}\nchecks: [{name: a, type: ssh, host: a, every: 9s}]").checks["a"]

    assert (check.retries, check.every) == (5, 9.0)
    assert check.model_fields_set == {"name", "type", "host", "every"}


def test_an_import_builds_no_validators() -> None:
    code = """
from monitor.config.fields import Block
import monitor.config
def below(block): return [block, *(one for sub in block.__subclasses__() for one in below(sub))]
print([block.__name__ for block in below(Block) if block is not Block and block.__pydantic_complete__])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


def test_the_digest_is_that_of_the_text() -> None:
    assert load("checks: []").digest == load("checks: []").digest
    assert load("checks: []").digest != load("checks: [] # changed").digest


def schema() -> dict[str, Any]:
    return Config.model_json_schema(by_alias=True)


@pytest.mark.parametrize("path", [SEED2, SHIPPED], ids=["seed", "shipped"])
def test_the_schema_is_one_and_accepts_what_loads(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())

    jsonschema.Draft202012Validator(schema()).validate(read_yaml(path.read_text(encoding="utf-8")).value)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("expect_status", "expect_sttaus"),
        ("type: job", "type: jbo"),
        ("severity: P1", "severity: P9"),
        ("retries: 2", "retries: two"),
        ("global:", "golbal:"),
    ],
)
def test_the_schema_refuses_a_slip_of_the_hand(right: str, wrong: str) -> None:
    text = SEED2.read_text(encoding="utf-8")
    assert right in text

    broken = read_yaml(text.replace(right, wrong)).value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(broken)
