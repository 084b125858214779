"""What is said of a file that holds: what in it can never work, and what may be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.checker import Checker
from monitor.cli import cli
from monitor.config import ConfigFile
from tests.conftest import eventually
from tests.make import load

HEAD = """\
channels:
  - {name: ops, type: webhook, url: "http://127.0.0.1:1/x"}
checks:
  - {name: shop, type: tcp, host: h, port: 1, tags: [prod], group: Web, severity: P1}
  - {name: db, type: tcp, host: h, port: 2, group: db-1}
"""


def said(text: str) -> list[tuple[str, bool]]:
    """Return the remarks on the lines after HEAD, the first of them counted as 1."""
    above = HEAD.count("\n")
    return [(f"{one.line - above}: {one.text}", one.is_fault) for one in load(HEAD + text).remarks]


def faults(text: str) -> list[str]:
    return [line for line, is_fault in said(text) if is_fault]


def test_of_a_file_without_a_slip_nothing_is_said() -> None:
    text = """\
maintenance: [{name: m, match: {tag: prod}, hours: {days: sun, from: "03:00", to: "05:00"}}]
routes: [{name: a, match: {tag: prod}, channels: ops}, {name: b, channels: ops}]
rules:
  - {name: r, condition: "response_time_ms > threshold", threshold: 5, message: "{response_time_ms} ms"}
"""
    assert said(text) == []


@pytest.mark.parametrize(
    ("names", "circle"),
    [({"a": "a"}, "a → a"), ({"a": "b", "b": "a"}, "a → b → a"), ({"c": "a", "a": "b", "b": "b"}, "b → b")],
)
def test_fallbacks_that_go_round_never_reach_the_console(names: dict[str, str], circle: str) -> None:
    blocks = [f'  - {{name: {name}, type: webhook, url: "http://h/", fallback: {to}}}' for name, to in names.items()]
    text = "\n".join(["channels:", *blocks, "checks: []\n"])

    (remark,) = load(text).remarks

    first = circle.partition(" ")[0]
    assert (remark.line, remark.is_fault) == (2 + list(names).index(first), True)
    assert remark.text == (
        f"channel {first!r}: fallback: goes round in a circle: {circle}; leave it out of one of them, or in the end "
        "nobody is told, where else the console is"
    )


def test_fallbacks_one_after_the_other_are_well() -> None:
    blocks = "[{name: a, type: email, fallback: b}, {name: b, type: email, fallback: sms}, {name: sms, type: sms}]"
    assert load(f"channels: {blocks}\nchecks: []\n").remarks == ()


@pytest.mark.parametrize(
    "condition",
    ["response_time_ms", "(cpu_percent)", "response_time_ms + expected_ms", "tags", "severity", "size(tags)"],
)
def test_a_condition_that_is_neither_true_nor_false_is_said(condition: str) -> None:
    assert faults(f'rules:\n  - name: r\n    condition: "{condition}"\n') == [
        f"3: rule 'r': condition: {condition!r} is neither true nor false, so that it never fires; "
        "compare it, such as response_time_ms > expected_ms * 2"
    ]


@pytest.mark.parametrize(
    "condition",
    [
        "paused",
        "(flapping)",
        "!paused",
        "mounted",
        "perfdata_ok",
        "tags.exists(t, t == 'a')",
        "'a' in tags",
        "name.startsWith('a')",
        "paused ? critical : false",
        "cpu_percent > 1",
    ],
)
def test_a_condition_that_is_true_or_false_is_well(condition: str) -> None:
    assert faults(f'rules:\n  - name: r\n    condition: "{condition}"\n') == []


@pytest.mark.parametrize("written", ["{{ response_time_ms }}", "{{response_time_ms}}"])
def test_double_braces_in_the_message_of_a_rule_are_said(written: str) -> None:
    text = f'rules:\n  - name: r\n    condition: "response_time_ms > 1"\n    message: "{written} ms"\n'
    assert faults(text) == [
        f"4: rule 'r': message: expected {{response_time_ms}}, got {written}, whose braces are sent as they are"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "tag: prod"),
        ("", ""),
        ("tag: prod", "tag: prod"),
        ("tag: [prod, eu]", "tag: eu"),
        ("severity: [P1, P2]", "severity: P1, group: Web"),
        ("name: 'shop-*'", "name: [shop-1, 'SHOP-a*']"),
        ("name: '*'", "tag: prod"),
    ],
)
def test_a_route_below_one_that_takes_all_of_it_is_never_asked(first: str, second: str) -> None:
    text = f"""\
routes:
  - {{name: a, match: {{{first}}}, channels: ops}}
  - {{name: b, match: {{{second}}}, channels: email}}
"""
    assert faults(text) == [
        "3: route 'b': it is never asked: 'a' above it takes all of it and has no `continue: true`; "
        "put the narrower one first"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("match: {tag: prod}", ""),
        ("match: {tag: prod}", "match: {tag: [prod, eu]}"),
        ("match: {tag: prod, group: Web}", "match: {tag: prod}"),
        ("continue: true", "match: {tag: prod}"),
        ('hours: {from: "09:00", to: "17:00"}', "match: {tag: prod}"),
        ("match: {name: 'shop-?'}", "match: {name: 'shop-*'}"),
        ("match: {name: shop}", "match: {name: 'shop*'}"),
        ("match: {severity: P1}", "match: {severity: [P1, P2]}"),
    ],
)
def test_a_route_that_an_alert_may_reach_is_well(first: str, second: str) -> None:
    of = [f"{key}, " if key else "" for key in (first, second)]
    assert faults(f"routes:\n  - {{name: a, {of[0]}channels: ops}}\n  - {{name: b, {of[1]}channels: email}}\n") == []


def test_a_step_alone_that_names_nobody_is_said() -> None:
    text = "routes:\n  - name: a\n    channels: ops\n    escalate: {after: 5m, channels: [ops, opss]}\n"
    assert faults(text) == ["4: route 'a': escalate: unknown channel 'opss' (did you mean 'ops'?); it is left out"]


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ("name: shpo", "no check is called 'shpo' (did you mean 'shop'?)"),
        ("tag: prd", "no check has the tag 'prd' (did you mean 'prod'?)"),
        ("tag: prod, group: db-1", "no check fits all of it: group db-1, tag prod"),
    ],
)
def test_maintenance_of_no_check_may_be_meant_for_what_applications_report(match: str, why: str) -> None:
    text = f"""\
maintenance:
  - name: m
    match: {{{match}}}
    hours: {{days: sun, from: "03:00", to: "05:00"}}
"""
    assert said(text) == [(f"3: maintenance 'm': match: {why}; it holds for reported alerts only", False)]


def test_a_host_check_needs_no_limit_where_a_rule_names_what_it_measures() -> None:
    text = """\
rules:
  - {name: busy, condition: "cpu_percent > 90", match: {tag: prod}, enabled: false}
  - {name: loaded, condition: "load5 > 90"}
checks:
  - {name: cpu, type: host, metric: cpu, tags: prod}
  - {name: load, type: host, metric: load}
"""
    assert load(text).remarks == ()
    with pytest.raises(ValueError, match=r"^checks\.yaml:5: check 'cpu': metric: expected warn_percent or crit_perc"):
        load(text.replace("metric: cpu, tags: prod", "metric: cpu"))
    with pytest.raises(ValueError, match=r"^checks\.yaml:3: rule 'loaded': unknown key 'bogus'$"):
        load(text.replace("load5 > 90", 'load5 > 90", bogus: "1'))


def validate(folder: Path, text: str) -> tuple[int, list[str]]:
    (folder / "checks.yaml").write_text(text)
    done = CliRunner().invoke(cli, ["--config", str(folder / "checks.yaml"), "validate"])
    return done.exit_code, done.output.splitlines()


def test_validate_warns_of_what_can_never_work(tmp_path: Path) -> None:
    code, lines = validate(tmp_path, HEAD.replace('url: "http://127.0.0.1:1/x"', 'url: "http://h/x", fallback: ops'))

    assert code == 1
    assert lines[0].startswith("checks.yaml:2: warning: channel 'ops': fallback: goes round in a circle: ops → ops")
    assert lines[1:] == ["checks.yaml holds: 2 checks, 1 warning."]


def test_validate_only_notes_what_the_environment_lacks(tmp_path: Path) -> None:
    text = 'channels: [{name: own, type: email}, {name: chat, type: apprise, url: "${NOWHERE:-}"}]\n'
    code, lines = validate(tmp_path, text + "checks: [{name: a, type: ssh, host: a}]\n")

    assert code == 0
    assert lines == [
        "checks.yaml:1: note: channel 'own': not set: SMTP_HOST, MAIL_TO",
        "checks.yaml:1: note: channel 'chat': url is blank: set the variable that it is taken from",
        "checks.yaml holds: 1 check.",
    ]


def test_the_checker_logs_them_once_for_each_reading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "checks.yaml"
    wrong = "checks: []\nchannels:\n  - {name: a, type: webhook, url: 'ftp://h', fallback: a}\n"
    file.write_text(wrong)

    def said() -> list[str]:
        logged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        return [text for text in logged if text.startswith("checks.yaml:3: channel 'a': ")]

    checker = Checker(ConfigFile(file), tmp_path / "data")
    checker.start()
    try:
        assert checker.ready.wait(60)
        assert [text.split(": ")[2] for text in said()] == ["fallback", "malformed URL"]
        part = tmp_path / "checks.part"
        part.write_text(wrong + "rules: []\n")
        part.replace(file)
        eventually(lambda: len(said()) == 4, what="the second reading")
    finally:
        checker.stop()
    assert len(said()) == 4
