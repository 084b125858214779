"""Conditions in CEL: only true is true, mistakes are found when the file is read, no answer makes one run for ever."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import HttpCheck
from monitor.config.expression import FUNCTIONS, LONGEST_EXPRESSION, VARIABLES, compile_expression
from monitor.model import Outcome, Status
from monitor.probes import Setting
from monitor.probes.conditions import check_condition
from monitor.probes.curl import Answer
from monitor.probes.http import judge

BODY = b'{"ok": true, "n": 5, "x": 1.5, "s": "5", "none": null, "list": [1, 2, 3], "o": {"p": [{"q": "r"}]}, "a-b": 1}'
HEAD = (b"HTTP/1.1 200 OK\r\n", b"Content-Type: application/json\r\n", b"X-Two: a\r\n", b"x-two: b\r\n")


def judged(expression: str, body: bytes = BODY, **fields: Any) -> Outcome:
    check = HttpCheck.model_validate({"name": "c", "type": "http", "url": "http://h/x?token=t", "expect": expression})
    known = {"latency_ms": 12.5, "phases_ms": {"dns": 1.0, "total": 12.5}, "address": "127.0.0.1"}
    known |= {"header_block": HEAD, "http_version": "1.1"} | fields
    return judge(check, Setting(Path()), Answer(200, body, known.pop("cut", False), **known))


@pytest.mark.parametrize(
    "expression",
    [
        "status == 200",
        "status in [200, 204] && status < 300",
        "headers['content-type'] == 'application/json'",
        "headers['x-two'] == 'a, b'",
        "!('x-three' in headers)",
        "body.contains('\"ok\": true') && body.startsWith('{') && size(body) > 10",
        "body.matches('ok.{1,5}true')",
        "json.ok",
        "json.ok && json.n < 10 && json.x > 1.0",
        "json.n > 4.5",
        "json['a-b'] == 1",
        "json.none == null",
        "has(json.ok) && !has(json.error)",
        "json.list.all(v, v > 0) && json.list.exists(v, v == 2) && json.list.size() == 3",
        "json.list.map(v, v * 2) == [2, 4, 6]",
        "json.list.filter(v, v > 1).size() == 2",
        "json.o.p[0].q == 'r'",
        "int(json.s) == json.n",
        "json.n == 5 ? json.ok : false",
        "latency_ms < 100.0",
        "latency_ms < 100",
        "phases.total > phases.dns",
        f"size == {len(BODY)}",
        "final_url == 'http://h/x'",
        "http_version == '1.1'",
        "now > timestamp('2020-01-01T00:00:00Z')",
        "type(json.n) == int",
        "status == 200 // a note",
        "json.ok == true\n&& status == 200",
    ],
)
def test_a_condition_that_is_true_is_ok(expression: str) -> None:
    seen = judged(expression)
    assert (seen.status, seen.message) == (Status.OK, "200 in 12 ms")


@pytest.mark.parametrize(
    ("expression", "got"),
    [
        ("status == 201", "false"),
        ("json.ok == false", "false"),
        ("json.n == '5'", "false"),
        ("json.ok == 1", "false"),
        ("json.n", "no truth value but 5"),
        ("json.s", "no truth value but '5'"),
        ("json.none", "no truth value but None"),
        ("json.list", "no truth value but [1, 2, 3]"),
        ("json.missing", "not to be evaluated (there is no 'missing')"),
        ("json.missing != 1", "not to be evaluated (there is no 'missing')"),
        ("!json.missing", "not to be evaluated (there is no 'missing')"),
        ("json.n.m == 1", None),
        ("json.list[7] == 1", None),
        ("json.s < 10", None),
        ("json.ok < 10", None),
        ("json.n + json.s == 10", None),
        ("json.n / 0 == 1", None),
        ("headers['x-three'] == 'a'", "not to be evaluated (there is no 'x-three')"),
        ("headers['Content-Type'] == 'application/json'", "not to be evaluated (there is no 'Content-Type')"),
        ("phases.tls < 100.0", "not to be evaluated (there is no 'tls')"),
        ("cert_days > 10", "not to be evaluated (cert_days is not known of this answer)"),
        ("timestamp(json.s) < now", None),
        ("timestamp(json.list) < now", "not to be evaluated (timestamp() does not take this value)"),
        ("body.matches('(a)\\\\1')", None),
        ("json.list.all(v, v.w > 0)", None),
        ("false || json.missing", "not to be evaluated (there is no 'missing')"),
        ("json.n - 9223372036854775807 - 9 == 1", None),
    ],
)
def test_a_condition_that_is_anything_but_true_fails(expression: str, got: str | None) -> None:
    seen = judged(expression)
    assert (seen.status, str(seen.kind)) == (Status.FAIL, "content")
    (finding,) = seen.findings
    assert (finding.what, finding.expected) == (expression, "true")
    assert got is None or finding.got == got
    assert got is not None or finding.got.startswith("not to be evaluated (")
    assert len(seen.message) < 400


@pytest.mark.parametrize(
    ("body", "head", "got"),
    [
        (b"", HEAD, "body is empty, expected JSON"),
        (b" ", HEAD, "body is empty, expected JSON"),
        (b"oops", HEAD, "body is not JSON"),
        (b'{"ok": NaN}', HEAD, "body is not JSON"),
        (b"null", HEAD, "json.ok is not to be evaluated"),
        (b"[]", HEAD, "json.ok is not to be evaluated"),
        (b"{}", HEAD, "json.ok is not to be evaluated"),
        (b'{"ok": "true"}', HEAD, "json.ok is no truth value"),
        (b'{"ok": 1}', HEAD, "json.ok is no truth value"),
    ],
)
def test_a_document_that_is_none_is_said_as_such(body: bytes, head: tuple[bytes, ...], got: str) -> None:
    seen = judged("json.ok", body, header_block=head)
    assert seen.status is Status.FAIL
    assert seen.message.startswith(got)


def test_a_body_that_was_cut_or_is_no_text_fails_when_the_condition_looks_at_it() -> None:
    for expression in ("json.ok", "body.contains('ok')", "size > 0"):
        assert judged(expression, cut=True).message == (
            "body is longer, expected at most 1000000 bytes (max_body_bytes)"
        )
    assert judged("status == 200", cut=True).status is Status.OK
    assert judged("body != 'x'", b"\xff\xfeab\xff").message == "body is no text in UTF-16-LE, expected text"
    assert judged("body != 'x'", b"ab\xff").message == "body is no text in UTF-8, expected text"
    assert judged("status == 200", b"ab\xff").status is Status.OK


def test_an_empty_body_is_an_empty_text_and_has_no_size() -> None:
    assert judged("body == '' && size == 0", b"").status is Status.OK
    assert judged("body.contains('x')", b"").status is Status.FAIL


# ---- mistakes, when the file is read


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_may_be_looked_at(name: str) -> None:
    assert compile_expression(f"{name} == {name}").variables == {name}


def test_every_function_is_one_of_cel() -> None:
    """Else a condition with it would pass when the file is read, and never hold."""
    uses = {
        "contains": "body.contains('o')",
        "startsWith": "body.startsWith('{')",
        "endsWith": "body.endsWith('}')",
        "matches": "body.matches('o')",
        "timestamp": "timestamp('2026-01-01T00:00:00Z') < now",
        "duration": "duration('1h') < duration('2h') && status > 0",
        "bytes": "bytes(body) != b''",
    }
    for name in FUNCTIONS:
        call = f"now.{name}() >= 0" if name.startswith("get") else f"{name}(status) == {name}(status)"
        if name == "size":
            call = "size(body) > 1"
        assert judged(uses.get(name, call)).status is Status.OK, name


@pytest.mark.parametrize(
    "expression", ["status =", "(status", "status == 200)", "'status", "status == 200 status", "status ?", "", " "]
)
def test_a_mistake_in_the_syntax_is_told_with_its_place(expression: str) -> None:
    with pytest.raises(ValueError, match=r"^expected an expression in CEL such as status == 200, got .*column \d+: "):
        compile_expression(expression)


def test_a_very_long_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 2000 characters"):
        compile_expression("status == 200" + " && true" * 300)


@pytest.mark.parametrize(
    "part",
    ["1+{}", "!{}", "({})", "[{}]", "-{}", "true && {}", "status.{}", "status ? {} : 1", "[1].map(x, {})"],
)
def test_an_expression_that_is_nested_as_deep_as_it_may_be_breaks_no_thread(part: str) -> None:
    text = "status"
    while len(text) + len(part) < LONGEST_EXPRESSION:
        text = part.format(text)

    def use() -> None:
        try:
            compile_expression(text)
        except ValueError:
            return
        check_condition(text, {"status": 200})

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


PIECES = ["status", "json", ".a", "[", "]", "(", ")", "==", "&&", "!", "-", "1", "1u", "1e400", "'x'", "null", "?", ":"]
PIECES += ["{", "}", ",", ".all(", "x", "in", "size(", "has(", "b'z'", "\\", "é", "\n", "9223372036854775808", "%", "/"]


@settings(max_examples=300, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join) | st.text(max_size=30))
def test_whatever_is_written_is_a_condition_or_a_sentence(text: str) -> None:
    try:
        compile_expression(text)
    except ValueError as error:
        assert str(error)
        return
    check_condition(text, {"status": 200, "json": {"a": [1, "x"]}})


# ---- no answer makes one run for ever


def took_s(expression: str, body: bytes) -> float:
    began = time.thread_time()
    judged(expression, body)
    return time.thread_time() - began


@pytest.mark.parametrize(
    "expression",
    [
        "json.all(a, json.all(b, json.all(c, a == b)))",
        "json.all(a, json.exists(b, a == b))",
        "json.all(a, !body.contains(string(a)))",
        "json.all(a, !body.matches('(x+x+)+y' + string(a)))",
        "json.map(a, body + 'x').size() > 0",
        "json.map(a, json.map(b, body)).size() > 0",
        "json == json",
        "size(json) > 0",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * 300_000 + b"1]",
        b'["' + b"x" * 900_000 + b'"' + b",1" * 15_000 + b"]",
        b"[" + b"1," * 900 + b"1]",
        b"[" + b"[" * 900 + b"]" * 900 + b",1]",
    ],
    ids=["many values", "a long text and values", "a list", "nested"],
)
def test_no_document_makes_a_condition_run_for_ever(expression: str, body: bytes) -> None:
    assert took_s(expression, body) < 1.5


def test_loops_over_a_list_of_ordinary_length_are_evaluated() -> None:
    body = b"[" + b",".join(b'{"id": %d, "ok": true}' % n for n in range(2000)) + b"]"
    assert judged("json.all(item, item.ok)", body).status is Status.OK
    numbers = b"[" + b",".join(b"%d" % n for n in range(200)) + b"]"
    assert judged("json.all(a, json.exists_one(b, a == b))", numbers).status is Status.OK
    seen = judged("json.all(a, json.exists(b, a == b))", body)
    assert seen.findings[0].got == "not evaluated: its loops over this answer would take too long"


def test_only_the_fields_that_a_condition_names_are_handed_over() -> None:
    members = {
        "json.a == 1 && has(json.b.c)": {"a", "b"},
        "json.a.all(x, x > json.b)": {"a", "b"},
        "'json' == body": set(),
        "headers.json == json.a": {"a"},
        "json['a'] == 1": None,
        "json.size() > 1": None,
        "json == null": None,
        "json.all(k, k == 'a')": None,
        "[1].exists(json, json.a == 1) && status == 1": None,
    }
    for expression, wanted in members.items():
        assert compile_expression(expression).members == wanted, expression
    # A long document costs nothing where only a field of it is looked at.
    long = {"ok": True, "rest": list(range(100_000))}
    assert check_condition("json.ok", {"json": long}) is None
    assert check_condition("has(json.gone)", {"json": long}) is not None


def test_a_time_in_the_answer_can_be_compared_with_now() -> None:
    at = datetime.now(UTC).isoformat()
    body = b'{"at": "%s"}' % at.encode()
    assert judged("timestamp(json.at) > now - duration('5m')", body).status is Status.OK
    assert judged("timestamp(json.at) > now + duration('5m')", body).status is Status.FAIL
