"""What was observed, as people read it: labels, units, what is folded, and that nothing in it is markup."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.ui import markup
from monitor.ui.facts import MOST, Fact, certificate, facts_of, label_of, moment
from monitor.ui.markup import Link, Sign
from monitor.ui.words import md
from tests.make import at

HOSTILE = "<img src=x onerror=alert(1)></dd><script>x</script>&amp; [x](javascript:x) \u202e\x00\x1b[2J שלום \U0001f525"


def shown(name: str, value: Any) -> tuple[str, str]:
    (fact,) = facts_of({name: value}, "UTC")
    return fact.label, fact.value


@pytest.mark.parametrize(
    ("name", "value", "label", "text"),
    [
        ("address", "10.0.0.1", "Address", "10.0.0.1"),
        ("tls_version", "TLSv1.3", "TLS version", "TLSv1.3"),
        ("memory_bytes", 1_111_256, "Memory", "1.1 MiB"),
        ("bytes", 640, "Bytes", "640 B"),
        ("uptime_s", 149, "Uptime", "2 m 29 s"),
        ("written_s_ago", 90.0, "Written", "1 m 30 s ago"),
        ("memory_percent", 1.75, "Memory used", "1.75 %"),
        ("percent", 16.5, "Used", "16.5 %"),
        ("free_gib", 76.05, "Free", "76.05 GiB"),
        ("connect_ms", 3.4, "Connect", "3 ms"),
        ("rtt_ms", {"min": 0.22, "max": 1500.0}, "Round trip", "min 0.2 ms · max 1.50 s"),
        ("rejected_connections", 10_000, "Rejected connections", "10,000"),
        ("close_code", 1006, "Close code", "1006"),
        ("tcp", True, "TCP", "yes"),
        ("answers", ["10.0.0.80", "10.0.0.81"], "Answers", "10.0.0.80, 10.0.0.81"),
        ("items", 3, "Items", "3"),
        ("started_at", "2026-11-20T14:00:00Z", "Started at", "no year 2026"),
        ("changed_at", "Fri 2026-11-20 14:00:00 UTC", "Changed", "Fri 2026-11-20 14:00:00 UTC"),
        ("", 1, "", "1"),
    ],
)
def test_a_value_has_the_unit_that_its_name_tells(name: str, value: object, label: str, text: str) -> None:
    if name == "started_at":
        assert shown(name, value)[0] == "Started"
        assert shown(name, value)[1].startswith("2026-11-20 14:00:00 UTC (")
    else:
        assert shown(name, value) == (label, text)


def test_figures_of_a_plugin_stand_one_by_one_with_their_limits() -> None:
    metrics = {"/": {"value": 2643.0, "unit": "MB", "warn": "5948", "min": 0.0}, "load": {"value": None}}
    facts = facts_of({"perfdata": metrics}, "UTC")
    assert facts == [Fact("Perfdata: /", "2,643 MB (warn 5948, min 0)"), Fact("Perfdata: load", "unknown")]


def test_what_is_long_is_folded_and_what_is_endless_is_cut() -> None:
    (body,) = facts_of({"body": "word " * 100_000}, "UTC")
    assert len(body.value) <= 110
    assert 1_000 < len(body.more) <= 4_000
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"a": deep, "b": 1}
    assert all(len(fact.more) <= 4_000 for fact in facts_of({"deep": deep}, "UTC"))
    assert len(facts_of({f"key_{n}": n for n in range(5_000)}, "UTC")) == MOST
    assert len(facts_of({"rows": list(range(100_000))}, "UTC")[0].value) < 200


def test_nothing_that_was_observed_is_markup() -> None:
    facts = facts_of({"body": HOSTILE, HOSTILE: HOSTILE, "top": [HOSTILE] * 30, "map": {HOSTILE: {HOSTILE: 1}}}, "UTC")
    link = Link(HOSTILE, Sign("✕", '"red" onclick=alert(1) x="'))
    page = markup.facts(facts) + markup.table((HOSTILE, "b"), [(HOSTILE, facts[0]), (link, "x")])
    page += markup.target("http", HOSTILE)
    for name in ("img", "script"):
        assert f"<{name}" not in page
    assert 'onclick=alert(1) x="' not in page
    assert not set(page) & {"\x00", "\x1b", "\u202e"}
    assert "&lt;img src=x" in page
    assert page.count("</dd>") == len(facts)


def test_a_link_leads_to_the_check_whatever_it_is_called() -> None:
    page = markup.table(("check",), [(Link('a/b?c=1&d="x"', Sign("✓", "green")),)])
    assert 'href="check?name=a%2Fb%3Fc%3D1%26d%3D%22x%22"' in page
    assert "%F0%9F%94%A5" in markup.table(("check",), [(Link("\U0001f525\ud83d", Sign("✓", "green")),)])


@pytest.mark.parametrize(
    ("observed", "sentence"),
    [
        ({}, ""),
        ({"cert_days": True}, ""),
        ({"cert_days": 60.04}, "The certificate ends in 60 days."),
        (
            {"cert_days": 9.4, "cert_subject": "CN=shop", "cert_not_after": "2026-11-30 15:31 UTC"},
            "The certificate of CN=shop ends in 9 days, on 2026-11-30 15:31 UTC.",
        ),
        ({"cert_days": 1.5}, "The certificate ends in 1 d 12 h."),
        ({"cert_days": -2.0, "cert_subject": "CN=shop"}, "The certificate of CN=shop ended 2 days ago."),
        (
            {"cert_days": 3.0, "cert_subject": "CN=shop", "chain_ends_with": "CN=R3", "chain_not_after": "soon"},
            "CN=R3, which is above it in the chain, ends in 3 days, on soon.",
        ),
    ],
)
def test_a_certificate_is_told_in_a_plain_sentence(observed: dict[str, Any], sentence: str) -> None:
    assert certificate(observed) == sentence


def test_a_time_is_told_in_the_zone_and_from_now() -> None:
    assert moment("2000-01-01T00:00:00Z", "Asia/Kolkata").startswith("2000-01-01 05:30:00 IST (")
    assert moment("2000-01-01T00:00:00Z", "UTC", 60.0).startswith("2000-01-01 00:01:00 UTC (")
    assert "(in " in moment(at(10**9).isoformat(), "UTC")
    assert moment("yesterday", "UTC") == "yesterday"
    assert label_of("due_at") == "Due"


def test_untrusted_markdown_has_no_links_of_bare_addresses() -> None:
    assert md("see http://evil/x") == "see http\\:\u2060//evil/x"
    assert "\u2060" in md("www.evil.example") and "\u2060" in md("HTTPS://evil")
    assert md("plain words") == "plain words"
