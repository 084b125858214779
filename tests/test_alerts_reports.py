"""Reports of figures and errors, and the eight examples of the document that they come from."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.figures import metric, number
from monitor.alerts.recommend import advised
from monitor.alerts.report import Report
from monitor.alerts.reports import TTL_S, application_error_report, harmless, performance_report, system_report
from monitor.model import Category, Kind, Severity
from monitor.units import plain
from tests.make import quick


def test_a_system_report_says_what_where_how_far_and_what_to_do() -> None:
    report = system_report("cpu_percent", 92, 80, "web-server-01")

    assert report.title == "High CPU Usage - web-server-01"
    assert report.message == "CPU is at 92% (threshold: 80%, exceeded by 15.0%)"
    assert (report.type, report.resource, report.source) == ("cpu_percent", "web-server-01", "api")
    assert (report.severity, report.category, report.kind) == (Severity.P3, Category.SYSTEM, Kind.RESOURCE)
    assert report.metadata == {"metric_name": "cpu_percent", "current_value": 92, "threshold_value": 80}
    assert len(report.recommendations) > 0
    assert report.ttl_s == TTL_S == 86_400


@pytest.mark.parametrize(
    ("name", "current", "threshold", "title", "message"),
    [
        ("cpu_percent", 95.3, 80.0, "High CPU Usage", "CPU is at 95.3% (threshold: 80%, exceeded by 19.1%)"),
        ("memory_percent", 91, 80, "High Memory Usage", "Memory is at 91% (threshold: 80%, exceeded by 13.8%)"),
        ("load_1m", 8.5, 4, "High Load", "Load (1 minute) is at 8.5 (threshold: 4, exceeded by 112.5%)"),
        (
            "disk_free_percent",
            5,
            8,
            "Low Free Disk Space",
            "Free disk space is at 5% (threshold: 8%, undercut by 37.5%)",
        ),
        (
            "memory_available_bytes",
            2**30,
            2**31,
            "Low Available Memory",
            "Available memory is at 1 GiB (threshold: 2 GiB, undercut by 50.0%)",
        ),
        ("open_files", 5000, 4000, "High Open Files", "Open files is at 5,000 (threshold: 4,000, exceeded by 25.0%)"),
        (
            "api.errors-per-minute",
            3,
            0,
            "High API Errors",
            "API errors is at 3 per minute (threshold: 0 per minute, exceeded)",
        ),
        ("replication_lag_s", 3, 3, "High Replication Lag", "Replication lag is at 3 s (threshold: 3 s, reached)"),
        ("temperature_c", 50, 60, "High Temperature", "Temperature is at 50 °C (threshold: 60 °C, not passed)"),
        ("ms", 2, 1, "High Ms", "Ms is at 2 (threshold: 1, exceeded by 100.0%)"),
        ("", 2, 1, "High Metric", "Metric is at 2 (threshold: 1, exceeded by 100.0%)"),
        ("_ \n", 2, 1, "High Metric", "Metric is at 2 (threshold: 1, exceeded by 100.0%)"),
    ],
)
def test_names_and_units_come_from_the_name_of_the_metric(
    name: str, current: float, threshold: float, title: str, message: str
) -> None:
    report = system_report(name, current, threshold, "x")

    assert report.title == f"{title} - x"
    assert report.message == message


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-3.5, "-3.5"),
        (0.0042, "0.0042"),
        (0.25, "0.25"),
        (1e6, "1,000,000"),
        (1e20, "1e+20"),
        (99.999, "100"),
    ],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_metric_belongs_to_what_its_words_say() -> None:
    assert metric("db_connections").category is Category.DATABASE
    assert metric("conversion_rate").category is Category.BUSINESS
    assert metric("failed_logins").category is Category.SECURITY
    assert system_report("conversion_rate", 2.1, 3.2, "shop").category is Category.BUSINESS


def test_what_the_caller_says_wins_over_what_is_worked_out() -> None:
    report = system_report(
        "cpu_percent",
        92,
        80,
        "web-01",
        severity=Severity.P1,
        category=Category.PERFORMANCE,
        recommendations=("Call Anna",),
        metadata={"load_average": [8.5, 7.2, 6.1], "current_value": 1},
        related_logs="/var/log/syslog\n",
        affected_users=7,
        ttl_s=None,
        channels=("sms",),
        tags=("eu",),
    )

    assert (report.severity, report.category) == (Severity.P1, Category.PERFORMANCE)
    assert report.recommendations == ("Call Anna",)
    assert report.metadata["load_average"] == [8.5, 7.2, 6.1]
    assert report.metadata["current_value"] == 92
    assert report.related_logs == "/var/log/syslog"
    assert (report.affected_users, report.ttl_s, report.channels, report.tags) == (7, None, ("sms",), ("eu",))


def test_recommendations_see_the_callers_metadata_and_logs() -> None:
    processes = [{"name": "gunicorn", "cpu": 45.2, "pid": 12345}]
    report = system_report(
        "cpu_percent", 95, 80, "web-01", metadata={"top_processes": processes}, related_logs="/a.log"
    )

    assert report.recommendations[0].endswith("htop -p 12345")
    assert report.recommendations[-1].endswith("tail -n 100 -- /a.log")


def test_a_performance_report_names_its_percentile() -> None:
    report = performance_report("api_response_time_ms", 2500, 1000, "/api/bookings", "P95")

    assert report.title == "High API Response Time (P95) - /api/bookings"
    assert report.message == "P95 API response time is at 2,500 ms (threshold: 1,000 ms, exceeded by 150.0%)"
    assert (report.severity, report.category, report.kind) == (Severity.P1, Category.PERFORMANCE, Kind.SLOW)
    assert report.metadata["percentile"] == "P95"
    assert report.type == performance_report("api_response_time_ms", 2500, 1000, "/api/bookings", "P99").type


def test_a_throughput_that_falls_is_low_and_not_slow() -> None:
    report = performance_report("throughput_rps", 70, 100, "api")

    assert report.title == "Low Throughput - api"
    assert report.message == "Throughput is at 70 per second (threshold: 100 per second, undercut by 30.0%)"
    assert (report.severity, report.kind) == (Severity.P2, None)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        system_report("cpu_percent", bad, 80, "web-01")
    with pytest.raises(ValueError, match="threshold: expected a finite number"):
        performance_report("latency_ms", 80, bad, "web-01", severity=Severity.P1)


def test_an_error_report_keeps_the_end_of_the_trace_with_its_lines() -> None:
    trace = "Traceback:\n" + "  x\n" * 5000 + '  File "booking.py", line 88\n\x1b[31mStripeAPIError\u202e'
    report = application_error_report("StripeAPIError", "Card\ndeclined\x00", trace, "booking")
    kept = str(report.metadata["stack_trace"])

    assert report.message == "Card declined"
    assert len(kept) <= 8000
    assert kept.startswith("  x\n  x\n")
    assert kept.endswith('  File "booking.py", line 88\n[31mStripeAPIError')


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "broken"),
        ({"error_count": 0, "affected_users": 0}, "broken"),
        ({"error_count": 2, "affected_users": 1}, "broken (2 times, 1 user affected)"),
        ({"affected_endpoint": "GET /"}, "broken (GET /)"),
    ],
)
def test_an_error_report_says_its_impact(fields: dict[str, Any], message: str) -> None:
    assert application_error_report("E", "broken", **fields).message == message


@quick
@given(st.text(max_size=50), st.floats(-1e12, 1e12), st.floats(-1e12, 1e12), st.text(max_size=50), st.text(max_size=20))
def test_any_figures_make_a_report_of_plain_lines(
    name: str, current: float, threshold: float, resource: str, mark: str
) -> None:
    for report in (
        system_report(name, current, threshold, resource),
        performance_report(name, current, threshold, resource, mark),
        application_error_report(name, resource, mark, mark, name),
    ):
        for text in (report.type, report.resource, report.title, report.message):
            assert plain(text, 2000) == text.strip()
        assert 1 <= len(report.recommendations) <= 6
        assert json.loads(json.dumps(dict(report.metadata), allow_nan=False)) == report.metadata


# ---- the eight examples


def test_example_1_slow_query() -> None:
    report = advised(
        Report(
            type="database_slow_query",
            title="Slow Database Query on Bookings Table",
            message="Query took 5.23 seconds (threshold: 1.0s, exceeded by 423%)",
            severity=Severity.P2,
            category=Category.DATABASE,
            resource="bookings table",
            metadata={
                "query": "SELECT * FROM bookings WHERE customer_id = ?",
                "execution_plan": "Seq Scan on bookings (50,000 rows)",
                "rows_scanned": 50000,
            },
            related_logs="/var/log/postgresql/slow_queries.log",
            affected_users=15,
        )
    )
    text = "\n".join(report.recommendations)

    assert "CREATE INDEX CONCURRENTLY idx_bookings_customer_id ON bookings (customer_id)" in text
    assert "EXPLAIN SELECT * FROM bookings" in text
    assert "all 50,000 rows" in text
    assert "/var/log/postgresql/slow_queries.log" in text


def test_example_2_high_cpu_with_its_processes() -> None:
    processes = [{"name": "gunicorn", "cpu": 45.2, "pid": 12345}, {"name": "celery", "cpu": 30.1, "pid": 12346}]
    metadata = {"top_processes": processes, "load_average": [8.5, 7.2, 6.1]}
    report = system_report("cpu_percent", 95.3, 80.0, "web-server-01", metadata=metadata)
    text = "\n".join(report.recommendations)

    assert "gunicorn (PID 12345, 45.2% CPU)" in text
    assert "htop -p 12345" in text
    assert "30 minutes" in text


def test_example_3_application_error_with_its_trace() -> None:
    report = application_error_report(
        error_type="StripeAPIError",
        error_message="Card declined: insufficient_funds",
        stack_trace='Traceback...\n  File "booking_service.py", line 88, in pay\nStripeAPIError...',
        source="booking_service",
        affected_endpoint="POST /api/v1/bookings",
        affected_users=3,
        error_count=5,
    )

    assert report.title == "StripeAPIError in booking_service"
    assert report.message == "Card declined: insufficient_funds (POST /api/v1/bookings, 5 times, 3 users affected)"
    assert (report.severity, report.affected_users) == (Severity.P3, 3)
    assert "status.stripe.com" in report.recommendations[0]
    assert any("Retry" in sentence for sentence in report.recommendations)
    assert any("declined card" in sentence for sentence in report.recommendations)


def test_example_4_memory_leak() -> None:
    metadata = {"process": "celery", "pid": 77, "memory_mb": 3900}
    report = system_report("memory_leak_mb_per_hour", 450, 100, "worker-02", metadata=metadata)

    assert report.severity is Severity.P1
    assert "celery (PID 77, 3900 MB)" in report.recommendations[0]
    assert any("heap dump" in sentence for sentence in report.recommendations)


def test_example_5_api_degradation_at_p95() -> None:
    report = performance_report("api_response_time_ms", 1800, 1000, "/api/bookings", "P95")

    assert report.severity is Severity.P1
    assert "P95" in report.message
    assert any("slow operations" in sentence for sentence in report.recommendations)
    assert any("deployed" in sentence for sentence in report.recommendations)
    assert any("Profile" in sentence for sentence in report.recommendations)


def test_example_6_service_unavailable() -> None:
    report = advised(
        Report(
            type="service_unavailable",
            title="PostgreSQL is down",
            message="connection refused",
            severity=Severity.P1,
            category=Category.AVAILABILITY,
            resource="postgresql",
        )
    )

    assert "systemctl status --no-pager -n 30 -- postgresql" in report.recommendations[0]
    assert any("pg_isready" in sentence for sentence in report.recommendations)


def test_example_7_brute_force() -> None:
    report = advised(
        Report(
            type="brute_force_attack",
            title="45 failed log-ins in 5 minutes",
            message="45 failed logins for admin from 203.0.113.45",
            severity=Severity.P1,
            category=Category.SECURITY,
            resource="admin panel",
            metadata={"ip_address": "203.0.113.45", "username": "admin", "attempts": 45},
        )
    )

    assert any("deny from 203.0.113.45" in sentence for sentence in report.recommendations)
    assert any("admin" in sentence for sentence in report.recommendations)


def test_example_8_business_metric_drop() -> None:
    report = system_report("booking_conversion_rate_percent", 2.08, 3.2, "website")

    assert report.title == "Low Booking Conversion Rate - website"
    assert report.message == "Booking conversion rate is at 2.08% (threshold: 3.2%, undercut by 35.0%)"
    assert (report.severity, report.category) == (Severity.P2, Category.BUSINESS)
    assert any("customer" in sentence for sentence in report.recommendations)


def test_metadata_ends_somewhere_and_says_what_was_left_out() -> None:
    many = {"first": "x" * 1000} | {f"k{number}": ["y" * 4000] * 10 for number in range(150)} | {"last": 7}
    kept = harmless(many, str)

    assert len(json.dumps(kept)) < 80_000
    assert (kept["first"], kept["k0"], kept["k9"]) == (many["first"], many["k0"], "too long to be kept")
    assert kept["last"] == 7
