"""Many checks: defaults, templates, `for_each` and included files, and that an edit of any of them is noticed."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from monitor.checker.configuration import Configuration
from monitor.config import Config, ConfigError, ConfigFile, Environment, LoadedConfig, load_config
from monitor.config import loading as loading_module
from monitor.config.yamlfile import read_yaml
from tests.make import load

# Made once: making and checking it takes a second.
SCHEMA = Config.model_json_schema(by_alias=True)
FOLDER = "include: checks.d\nchecks: []\n"


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value.errors


def house(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "checks.yaml"


def host(name: str) -> str:
    return f"- {{name: {name}, type: host, metric: cpu, warn_percent: 90}}\n"


def test_the_nearest_word_counts_from_the_check_to_what_is_built_in() -> None:
    loaded = load("""
global: {retries: 5, timeout: 9s, severity: P4, thresholds: {api_warn_ms: 900}}
defaults:
  all: {tags: [prod], retries: 1, every: 20s, owner: ops}
  http: {warn_ms: 500, every: 30s, owner: web}
templates:
  api: {type: http, every: 15s, owner: api, group: API}
  slow: {every: 10m, group: Slow}
checks:
  - {name: own, use: [api, slow], url: "http://a", every: 1s, warn_ms: null}
  - {name: later template, use: [api, slow], url: "http://a"}
  - {name: template, use: api, url: "http://a"}
  - {name: type, type: http, url: "http://a"}
  - {name: all, type: host, metric: cpu, warn_percent: 90}
""")
    own, later, template, kind, everything = (loaded.checks[name] for name in loaded.checks)

    assert [c.every for c in (own, later, template, kind, everything)] == [1, 600, 15, 30, 20]
    assert [c.group for c in (own, later, template, kind, everything)] == [
        "Slow",
        "Slow",
        "API",
        "Services",
        "Services",
    ]
    assert [c.owner for c in (own, later, template, kind, everything)] == ["api", "api", "api", "web", "ops"]
    assert [c.warn_ms for c in (own, template, kind)] == [None, 500, 500]  # type: ignore[attr-defined]
    assert {(c.retries, c.timeout, c.severity.name, c.tags) for c in loaded.checks.values()} == {
        (1, 9, "P4", ("prod",))
    }


def test_of_keys_that_exclude_each_other_the_nearest_counts() -> None:
    loaded = load("""
x-who: &who {username: u, password: p}
defaults:
  all: {every: 20s, retry_interval: 7s, retries: 3}
  http: {bearer: abcdefgh, json: {a: 1}}
checks:
  - {name: a, type: http, url: "http://a", at: "07:30", retry_backoff_s: 1, body: text, basic: *who}
  - {name: b, type: heartbeat, key: 3f0c9a6e-5f7b, period: 1h}
""")
    a, b = loaded.checks.values()

    assert (a.at, a.retry_interval, a.body, a.bearer) == (("07:30",), 1, "text", None)  # type: ignore[attr-defined]
    # Asking again is no use for pings, whatever holds for all.
    assert b.retries == 0


def test_for_each_makes_a_check_of_each_value_and_of_each_pair() -> None:
    loaded = load("""
templates: {web: {type: tcp, host: "((host)).example", port: ((port))}}
checks:
  - name: ((host)) ((port))
    use: web
    tags: [((host)), "port-((port))"]
    for_each: {host: [a, b], port: [80, 443]}
  - name: single ((host))
    type: tcp
    host: ((host))
    port: ((port))
    for_each:
      - {host: c, port: 1}
      - {host: d, port: 2}
""")

    assert list(loaded.checks) == ["a 80", "a 443", "b 80", "b 443", "single c", "single d"]
    assert loaded.checks["b 443"].target == "b.example:443"
    assert loaded.checks["b 443"].tags == ("b", "port-443")
    assert loaded.checks["single d"].target == "d:2"


def test_variables_of_the_environment_may_be_named_by_an_item() -> None:
    text = """
checks:
  - name: shop ((id))
    type: http
    url: "{BASE}/((id))"
    bearer: ${TOKEN_((id))}
    for_each: {id: [EU, US]}
"""
    variables = {"BASE": "http://shop", "TOKEN_EU": "((id))-secret", "TOKEN_US": "other-secret"}
    eu, us = load(text, variables).checks.values()

    assert (eu.target, us.target) == ("http://shop/EU", "http://shop/US")
    # What a variable holds is not looked into.
    assert eu.bearer.get_secret_value() == "((id))-secret"  # type: ignore[attr-defined]


def test_double_parentheses_stay_where_nothing_is_filled_in() -> None:
    loaded = load("""
checks:
  - {name: a, type: http, url: "http://a", expect_body: {matches: "((up))"}}
  - {name: "b ((n))", type: http, url: "http://b", body: "$((1+1)) $((n)) ((1)) ( (n))", for_each: {n: [1]}}
""")

    assert loaded.checks["a"].expect_body.matches == ("((up))",)  # type: ignore[attr-defined]
    assert loaded.checks["b 1"].body == "$((1+1)) $((n)) ((1)) ( (n))"  # type: ignore[attr-defined]


def test_a_thousand_checks_are_few_lines_and_too_many_are_refused() -> None:
    hosts = ", ".join(f"h{n}" for n in range(1000))
    text = f"checks: [{{name: ((h)), type: tcp, host: ((h)), port: 80, for_each: {{h: [{hosts}]}}}}]"
    assert len(load(text).checks) == 1000

    many = (
        text.replace("}}]", "}}]").replace("name: ((h))", "name: ((h))((g))").replace("]}}]", f"], g: [{hosts}]}}}}]")
    )
    assert errors(many) == [
        "checks.yaml:1: check '((h))((g))': for_each: expected at most 10000 checks, got 1000000",
    ]


def test_anchors_have_a_place_of_their_own() -> None:
    loaded = load("""
x-base: &base {type: http, every: 10s}
x-more: &more {every: 20s, group: More}
checks:
  - {<<: *base, name: a, url: "http://a"}
  - {<<: [*base, *more], name: b, url: "http://b", tags: &tags [x, y]}
  - {name: c, type: host, metric: cpu, warn_percent: 90, tags: *tags}
""")
    a, b, c = loaded.checks.values()

    assert (a.every, b.every, b.group, c.tags) == (10, 10, "More", ("x", "y"))


def test_deep_nesting_is_an_error_not_an_end() -> None:
    (problem,) = read_yaml("a: " + "[" * 20_000 + "]" * 20_000).problems

    assert "nested too deep" in problem.text


def test_included_files_are_read_in_order_with_templates_and_defaults_of_their_own(tmp_path: Path) -> None:
    path = house(
        tmp_path,
        {
            "checks.yaml": """
include: [checks.d, more/*.yaml, checks.d/b.yml]
defaults: {all: {owner: ops, group: Main}}
templates: {cpu: {type: host, metric: cpu, warn_percent: 90}, disk: {type: host, metric: disk, warn_percent: 90}}
checks: [{name: main, use: cpu}]
""",
            "checks.d/b.yml": "- {name: b, use: cpu}\n",
            "checks.d/a.yaml": """
defaults: {all: {group: A}, host: {every: 7s}}
templates: {cpu: {type: host, metric: memory, warn_percent: 90}}
x-free: 1
checks: [{name: a, use: cpu}, {name: a disk, use: disk, depends_on: [main, c]}]
""",
            "checks.d/.hidden.yaml": "[",
            "checks.d/a.yaml~": "[",
            "checks.d/#a.yaml": "[",
            "checks.d/notes.txt": "[",
            "checks.d/deeper/x.yaml": "[",
            "more/c.yaml": host("c"),
        },
    )
    loaded = load_config(path, Environment())

    assert list(loaded.checks) == ["main", "a", "a disk", "b", "c"]
    assert [c.group for c in loaded.checks.values()] == ["Main", "A", "A", "Main", "Main"]
    assert [c.every for c in loaded.checks.values()] == [30, 7, 7, 30, 30]
    assert {c.owner for c in loaded.checks.values()} == {"ops"}
    assert loaded.checks["a"].metric == "memory"  # type: ignore[attr-defined]
    assert [file.name for file in loaded.files] == ["checks.yaml", "a.yaml", "b.yml", "c.yaml"]


def test_links_are_followed_to_files_but_not_round_in_circles(tmp_path: Path) -> None:
    path = house(
        tmp_path,
        {"checks.yaml": "include: '**/*.yaml'\n", "d/..data/a.yaml": host("a"), "d/b.yaml": host("b")},
    )
    (tmp_path / "d" / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "d" / "again.yaml").symlink_to("b.yaml")
    (tmp_path / "d" / "up").symlink_to("..")

    assert list(load_config(path, Environment()).checks) == ["a", "b"]

    (tmp_path / "d" / "self.yaml").symlink_to("self.yaml")
    with pytest.raises(ConfigError, match=r"^d/self\.yaml:1: expected a file, got none behind this name"):
        load_config(path, Environment())


def test_an_empty_folder_is_an_error_since_its_checks_may_have_gone_unseen(tmp_path: Path) -> None:
    path = house(tmp_path, {"checks.yaml": FOLDER, "checks.d/notes.txt": ""})

    with pytest.raises(ConfigError) as caught:
        load_config(path, Environment())

    assert caught.value.errors == [
        "checks.yaml:1: include: expected .yaml or .yml files in the folder 'checks.d', got none"
    ]


def test_the_digest_is_that_of_all_files(tmp_path: Path) -> None:
    path = house(tmp_path, {"checks.yaml": FOLDER, "checks.d/a.yaml": host("a")})
    before = load_config(path, Environment()).digest
    house(tmp_path, {"checks.d/a.yaml": host("a") + "# changed\n"})
    after = load_config(path, Environment()).digest

    assert before != after == load_config(path, Environment()).digest


class Reader:
    """A configuration and its reader: `look` returns what was read anew, or None when nothing was."""

    def __init__(self, path: Path) -> None:
        self.configuration = Configuration(ConfigFile(path), start_demo=False)

    def look(self) -> list[str] | None:
        read: list[Future[LoadedConfig]] = []
        with ThreadPoolExecutor(1) as readers:
            self.configuration.look(readers, read.append)
        if not read:
            return None
        try:
            return list(self.configuration.outcome(read[0]).checks)
        except ConfigError as error:
            return error.errors


def test_edits_additions_and_deletions_of_included_files_are_noticed_once(tmp_path: Path) -> None:
    path = house(tmp_path, {"checks.yaml": FOLDER, "checks.d/a.yaml": host("a")})
    reader = Reader(path)
    assert reader.look() is None

    house(tmp_path, {"checks.d/b.yaml": host("b")})
    assert reader.look() == ["a", "b"]
    assert reader.look() is None

    house(tmp_path, {"checks.d/b.yaml": host("changed")})
    assert reader.look() == ["a", "changed"]

    house(tmp_path, {"checks.d/notes.txt": "no matter", ".env": "A=1\n"})
    assert reader.look() == ["a", "changed"]  # by .env
    (tmp_path / "checks.d" / "notes.txt").unlink()
    assert reader.look() is None

    (tmp_path / "checks.d" / "a.yaml").unlink()
    assert reader.look() == ["changed"]
    assert reader.look() is None


def test_after_an_invalid_edit_of_an_included_file_its_repair_is_noticed(tmp_path: Path) -> None:
    path = house(tmp_path, {"checks.yaml": FOLDER, "checks.d/a.yaml": host("a")})
    reader = Reader(path)

    house(tmp_path, {"checks.d/b.yaml": "- {name: b, type: hots}\n"})
    assert str(reader.look()).startswith("[\"checks.d/b.yaml:1: check 'b': unknown type 'hots' (did you mean 'host'?)")
    assert reader.look() is None
    assert list(reader.configuration.loaded.checks) == ["a"]

    house(tmp_path, {"checks.d/b.yaml": host("b")})
    assert reader.look() == ["a", "b"]

    house(tmp_path, {"checks.yaml": "include: [\n"})
    assert "not readable as YAML" in str(reader.look())
    house(tmp_path, {"checks.yaml": "include: [checks.d, later.d]\n"})
    assert "'later.d', which is not there" in str(reader.look())
    house(tmp_path, {"later.d/c.yaml": host("c")})
    assert reader.look() == ["a", "b", "c"]


def test_what_was_read_already_is_not_read_again_unless_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = house(tmp_path, {"checks.yaml": FOLDER, "checks.d/a.yaml": host("a")})
    file = ConfigFile(path)
    loaded = file.read()
    reads: list[Any] = []
    real = loading_module.read_yaml
    monkeypatch.setattr(loading_module, "read_yaml", lambda *args: reads.append(args) or real(*args))

    assert Configuration(file, start_demo=False).loaded is loaded
    assert reads == []

    house(tmp_path, {"checks.d/b.yaml": host("b")})
    assert list(Configuration(file, start_demo=False).loaded.checks) == ["a", "b"]


def test_an_invalid_file_is_read_once_and_refused_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = house(tmp_path, {"checks.yaml": "checks: [{name: a}]"})
    reads: list[Any] = []
    real = loading_module.read_yaml
    monkeypatch.setattr(loading_module, "read_yaml", lambda *args: reads.append(args) or real(*args))
    file = ConfigFile(path)

    for _ in range(2):
        with pytest.raises(ConfigError, match="missing key 'type'"):
            file.read()
    assert len(reads) == 1
    house(tmp_path, {"checks.yaml": "checks: [{name: ab, type: host, metric: cpu, warn_percent: 90}]"})
    assert [check.name for check in file.read().config.checks] == ["ab"]


def test_threads_that_ask_at_once_share_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = house(tmp_path, {"checks.yaml": FOLDER, "checks.d/a.yaml": host("a")})
    file = ConfigFile(path)
    both, reads = threading.Barrier(2), []
    real = loading_module.read_yaml
    monkeypatch.setattr(loading_module, "read_yaml", lambda *args: reads.append(args) or real(*args))

    def ask() -> LoadedConfig:
        both.wait(60)
        return file.read()

    with ThreadPoolExecutor(2) as threads:
        first, second = (asked.result() for asked in [threads.submit(ask), threads.submit(ask)])
    assert first is second
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("use: api", "use: {a: 1}"),
        ("host: [a, b]", "host: a"),
        ("warn_ms: 500", "warn_mss: 500"),
        ("tags: [prod]", "tgas: [prod]"),
        ("include: checks.d", "include: {a: 1}"),
        ("every: 15s", "evry: 15s"),
        ("x-base:", "base:"),
        ("metric: cpu", "metric: cup"),
    ],
)
def test_the_schema_knows_what_checks_borrow(right: str, wrong: str) -> None:
    text = """
include: checks.d
x-base: {anything: 1}
defaults: {all: {tags: [prod], retries: 1}, http: {warn_ms: 500}}
templates: {api: {type: http, every: 15s}}
checks:
  - {name: a, use: api, url: "http://a"}
  - {name: "b ((host))", type: tcp, host: ((host)), port: ((port)), for_each: {host: [a, b], port: [80]}}
  - {name: c, type: host, metric: cpu, warn_percent: 90}
"""
    validator = jsonschema.Draft202012Validator(SCHEMA)

    validator.validate(read_yaml(text).value)
    assert right in text
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(read_yaml(text.replace(right, wrong)).value)


def test_a_check_without_a_template_still_needs_its_keys_by_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)

    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"checks": [{"name": "a", "type": "http"}]})


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "a:\n" + " [" * 20_000])
def test_a_file_that_is_nested_too_deep_is_an_error_and_no_crash(text: str) -> None:
    (problem,) = read_yaml(text).problems
    assert problem.text == "not readable as YAML: nested too deep, or an alias that contains itself"
