"""Rules on JSON: each predicate on values of every type, paths against jsonpath-ng, and documents that mean harm."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import JsonRule
from monitor.config.jsonpath import compiled
from monitor.probes.jsonpaths import MOST_VALUES, values_at
from monitor.probes.jsonrules import Remembered, check_rules

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
EVERYTHING: list[Any] = [None, True, False, 0, 1, -1, 0.5, 1e300, 2**53, "", "0", "ok", [], [1], ["ok"], {}, {"a": 1}]


def rule(path: str = "$.v", **predicates: Any) -> JsonRule:
    return JsonRule.model_validate({"path": path, **predicates})


def wrong(document: Any, *rules: JsonRule, remembered: Remembered | None = None, now: datetime = NOW) -> list[str]:
    return [finding.got for finding in check_rules(document, rules, remembered, now)]


def is_same(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


# ---- predicates


@pytest.mark.parametrize(
    ("predicate", "good"),
    [
        ({"in": [1, "ok"]}, [1, "ok"]),
        ({"in": [None]}, [None]),
        ({"in": [[1], {"a": 1}]}, [[1], {"a": 1}]),
        ({"not_in": [1, "ok", None]}, [v for v in EVERYTHING if not any(is_same(v, w) for w in (1, "ok", None))]),
        ({"contains": "k"}, ["ok"]),
        ({"contains": ["o", "k"]}, ["ok"]),
        ({"contains": "ok"}, ["ok", ["ok"]]),
        ({"contains": 1}, [[1]]),
        ({"contains": True}, []),
        ({"matches": "^o"}, ["ok"]),
        ({"matches": "^$"}, [""]),
        ({"matches": "0"}, ["0"]),
        ({"exists": True}, EVERYTHING),
        ({"exists": False}, []),
        ({"type": "string"}, ["", "0", "ok"]),
        ({"type": "number"}, [0, 1, -1, 0.5, 1e300, 2**53]),
        ({"type": "integer"}, [0, 1, -1, 1e300, 2**53]),
        ({"type": "boolean"}, [True, False]),
        ({"type": None}, [None]),
        ({"type": "null"}, [None]),
        ({"type": "array"}, [[], [1], ["ok"]]),
        ({"type": "object"}, [{}, {"a": 1}]),
        ({"type": ["string", None]}, [None, "", "0", "ok"]),
        ({"length": 0}, ["", [], {}]),
        ({"length": 1}, ["0", [1], ["ok"], {"a": 1}]),
        ({"length": {"ge": 1, "lt": 2}}, ["0", [1], ["ok"], {"a": 1}]),
        ({"length": {"gt": 1}}, ["ok"]),
        ({"type": "string", "length": {"le": 1}}, ["", "0"]),
    ],
    ids=str,
)
def test_a_predicate_holds_for_these_values_and_for_no_others(predicate: dict[str, Any], good: list[Any]) -> None:
    held = [value for value in EVERYTHING if not wrong({"v": value}, rule(**predicate))]
    assert json.dumps(held) == json.dumps(good)


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("2026-11-21T11:59:00Z", True),
        ("2026-11-21T11:55:00Z", True),
        ("2026-11-21T11:54:59Z", False),
        ("2026-11-21t11:59:00z", True),
        ("2026-11-21 11:59:00+00:00", True),
        ("2026-11-21T17:29:00+05:30", True),
        ("2026-11-21T11:59:00.123456789Z", True),
        ("2026-11-21T12:00:59Z", True),
        ("2026-11-21T12:01:01Z", False),
        ("2026-11-21T11:59:00", False),
        ("2026-11-21", False),
        ("1795262340", False),
        (NOW.timestamp() - 60, True),
        (int(NOW.timestamp()) - 301, False),
        (int(NOW.timestamp() * 1000) - 60_000, True),
        (int(NOW.timestamp() * 1000) - 301_000, False),
        (NOW.timestamp() + 90, False),
        (0, False),
        (1e300, False),
        (-1e300, False),
        (True, False),
        (None, False),
        ("", False),
        (["2026-11-21T11:59:00Z"], False),
    ],
    ids=str,
)
def test_a_time_is_fresh_by_rfc_3339_or_unix_seconds_and_not_in_the_future(value: Any, holds: bool) -> None:
    assert (wrong({"v": value}, rule(max_age="5m")) == []) is holds


def test_an_old_time_says_its_age_and_one_without_an_offset_that_it_has_none() -> None:
    (finding,) = check_rules({"v": "2026-11-21T11:00:00Z"}, [rule(max_age="5m")], now=NOW)
    assert str(finding) == '$.v is "2026-11-21T11:00:00Z" (1 h ago), expected a time at most 5 m ago'
    assert wrong({"v": "2026-11-21T14:00:00Z"}, rule(max_age="5m"))[0].endswith("(2 h in the future)")
    assert wrong({"v": "12:00"}, rule(max_age="5m")) == ['"12:00" (no time with an offset from UTC)']


def test_every_match_must_hold_and_with_each_false_one_is_enough() -> None:
    document = {"nodes": [{"up": False}, {"up": True}, {"up": False}]}
    assert wrong(document, rule("$.nodes[*].up", equals=True)) == ["false"]
    assert wrong(document, rule("$.nodes[*].up", equals=True, each=False)) == []
    assert wrong(document, rule("$.nodes[*].up", equals=None, each=False)) == ["none of 3 values, the first false"]
    assert wrong({"nodes": []}, rule("$.nodes[*].up", equals=True, each=False)) == ["missing"]


@pytest.mark.parametrize(
    ("path", "document", "got"),
    [
        ("$.error", {}, ""),
        ("$.error", {"error": None}, "there"),
        ("$.error.code", {"error": None}, ""),
        ("$.a.b.c", {"a": {}}, ""),
        ("$.list[3]", {"list": [1]}, ""),
        ("$.list[0]", {"list": [1]}, "there"),
        ("$..error", {"a": [{}]}, ""),
        ("$..error", {"a": [{"error": 1}]}, "there"),
        ("$.a[*].error", {"a": [{}, {}]}, ""),
        ("$.error", None, "not to be found: the document is no object and no list"),
        ("$.error", "down", "not to be found: the document is no object and no list"),
        ("$.error", [], "not to be found: a value on the way is of another type"),
        ("$.error.code", {"error": "broken"}, "not to be found: a value on the way is of another type"),
        ("$.list[3]", {"list": {}}, "not to be found: a value on the way is of another type"),
    ],
)
def test_what_must_not_exist_does_not_only_where_it_could(path: str, document: Any, got: str) -> None:
    assert wrong(document, rule(path, exists=False)) == ([got] if got else [])


def test_predicates_of_one_rule_must_all_hold_and_are_all_named() -> None:
    (finding,) = check_rules({"v": "ab"}, [rule(type="string", length={"ge": 3}, matches="^a")], now=NOW)
    assert finding.got == '"ab" of length 2'
    assert finding.expected == "to match '^a' and to be of type string and to be of length >= 3"
    assert str(finding) == f"$.v is {finding.got}, expected {finding.expected}"


# ---- a value that must change


def look(value: Any, at_s: float, memory: dict[str, Any], within: str = "5m") -> tuple[list[str], dict[str, Any]]:
    remembered = Remembered(memory)
    now = NOW + timedelta(seconds=at_s)
    got = wrong({"v": value} if value is not ... else {}, rule(changes_within=within), remembered=remembered, now=now)
    # What is kept goes through a file.
    return got, json.loads(json.dumps(remembered.memory))


def test_a_value_that_stands_still_for_too_long_fails_until_it_moves() -> None:
    got, memory = look(7, 0, {})
    assert got == []
    for at_s, value, expected in [(100, 7, []), (299, 7, []), (301, 7, ["7, the same for 5 m 1 s"])]:
        got, memory = look(value, at_s, memory)
        assert got == expected
    got, memory = look(8, 310, memory)
    assert got == []
    assert look(8, 600, memory)[0] == []
    assert look(8, 620, memory)[0] == ["8, the same for 5 m 10 s"]


def test_a_value_that_is_gone_for_a_while_does_not_look_changed_when_it_is_back() -> None:
    _, memory = look(7, 0, {})
    got, memory = look(..., 200, memory)
    assert got == ["missing"]
    assert look(7, 301, memory)[0] == ["7, the same for 5 m 1 s"]


def test_a_clock_that_was_put_back_does_not_make_a_value_look_still() -> None:
    _, memory = look(7, 1000, {})
    got, memory = look(7, 0, memory)
    assert got == []
    assert look(7, 301, memory)[0] == ["7, the same for 5 m 1 s"]


@pytest.mark.parametrize("broken", [{"$.v": 5}, {"$.v": {"value": 1}}, {"$.v": {}}, {"$.v": None}])
def test_a_memory_that_is_none_begins_anew(broken: dict[str, Any]) -> None:
    got, memory = look(7, 0, broken)
    assert got == []
    assert set(memory["$.v"]) == {"value", "since"}


def test_what_cannot_be_remembered_fails() -> None:
    assert wrong({"v": 7}, rule(changes_within="5m")) == ["not to be evaluated (no earlier value is remembered here)"]
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    assert look(deep, 0, {})[0] == ["not to be remembered (nested too deep)"]


def test_what_is_remembered_is_short_and_is_not_the_value() -> None:
    _, memory = look("secret" * 1000, 0, {})
    assert len(json.dumps(memory)) < 200
    assert "secret" not in json.dumps(memory)


# ---- paths


NAMES = st.sampled_from(["a", "b", "v", "x y"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "", "0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=25,
)
STEPS = st.one_of(
    st.sampled_from([".a", ".b", ".v", "['x y']", "[*]", ".*", "['a','b']", "[0,1]", "[:]"]),
    st.integers(-4, 4).map("[{}]".format),
    st.tuples(*[st.none() | st.integers(-4, 4)] * 2).map(
        lambda ends: "[{}:{}]".format(*("" if end is None else end for end in ends))
    ),
    st.integers(1, 3).map("[::{}]".format),
)


@settings(max_examples=400, deadline=None)
@given(document=DOCUMENTS, steps=st.lists(STEPS, max_size=5))
def test_a_walk_finds_what_jsonpath_ng_finds(document: Any, steps: list[str]) -> None:
    path = "$" + "".join(steps)
    use = compiled(path)
    assert use.way is not None
    found = [match.value for match in use.search.find(document)]
    assert json.dumps(values_at(document, path)) == json.dumps(found)


@pytest.mark.parametrize(
    "path", ["$..a", "$[?(@.a > 1)]", "$.a.`len`", "$.a + $.b", "$.a.`parent`", "$.a.$.b", "$.a.`sub(/a/, b)`"]
)
def test_a_path_that_does_more_than_name_its_way_is_left_to_jsonpath_ng(path: str) -> None:
    assert compiled(path).way is None


def chain(length: int) -> Any:
    document: Any = 1
    for _ in range(length):
        document = {"a": document}
    return document


HOSTILE: dict[str, Any] = {
    "a long list": list(range(300_000)),
    "many small objects": [{"a": n} for n in range(100_000)],
    "many keys": {str(n): n for n in range(200_000)},
    "nested": chain(900),
    "nested lists of nested lists": [chain(900) for _ in range(200)],
    "as long as allowed": [{"a": n, "b": n} for n in range(MOST_VALUES // 3 - 10)],
    "as long as allowed, and nested": [chain(190) for _ in range(100)],
    "a long text": {"a": "a" * 1_000_000, "b": 1_000_000},
}
SEARCHES = [
    "$..a",
    "$..*",
    "$..a..a",
    "$..a..a..a..a",
    "$..[?(@..a > 1)]",
    "$[?(@.a =~ '(a+)+$')]",
    "$[?($..a > 1)]",
    "$.a * $.b",
    "$.a.`sub(/(a+)+$/, b)`",
    "$[*].a",
    "$.*.*.*",
    "$[1:]",
]


@pytest.mark.parametrize("path", SEARCHES)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_document_makes_a_path_take_for_ever(name: str, path: str) -> None:
    # What it costs, and not for how long others kept the machine busy.
    began = time.thread_time()
    check_rules(HOSTILE[name], [rule(path, equals="x")], now=NOW)
    assert time.thread_time() - began < 1.5


def test_a_search_through_too_many_values_fails_and_says_what_to_write() -> None:
    many = [{"v": 1}] * (MOST_VALUES // 2 + 1)
    (got,) = wrong(many, rule("$..v", equals=1))
    assert got == (
        f"not searched for: the document has more than {MOST_VALUES} values, too many for a path that searches; "
        "name the way to it"
    )
    assert wrong(many, rule("$[*].v", equals=1)) == []
    assert wrong(many[: MOST_VALUES // 2 - 1], rule("$..v", equals=1)) == []
    assert wrong(chain(1000), rule("$.a.a", type="object")) == []
    assert wrong(chain(1000), rule("$..a..a", exists=True))[0].startswith(
        "not searched for: the document has 1001 values, 1002 deep"
    )


def test_a_filter_may_compare_with_a_value_at_the_root_of_a_long_document() -> None:
    document = {"current": 7, "items": [{"id": n, "ok": n == 7} for n in range(2000)]}
    assert wrong(document, rule("$.items[?(@.id == $.current)].ok", equals=True)) == []


def test_a_text_is_not_multiplied() -> None:
    assert wrong({"a": "x" * 1000, "b": 10**9}, rule("$.a * $.b", exists=True)) == ["missing"]
    assert wrong({"a": 6, "b": 7}, rule("$.a * $.b", equals=42)) == []


def test_regular_expressions_of_paths_work_in_linear_time() -> None:
    assert wrong([{"n": "abc", "v": 1}], rule("$[?(@.n =~ '^a.c$')].v", equals=1)) == []
    assert wrong({"a": "a-b"}, rule("$.a.`sub(/(a)-(b)/, \\\\2-\\\\1)`", equals="b-a")) == []
    for path in ("$[?(@.n =~ '(?=a)')]", "$.a.`sub(/(?=a)/, b)`"):
        with pytest.raises(ValueError, match="look-ahead"):
            rule(path, exists=True)
