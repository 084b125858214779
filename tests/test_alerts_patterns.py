"""What the alerts of some days have in common, what would quieten the noisiest, and only what figures support."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.alert import Alert, Notification
from monitor.alerts.insights import insights
from monitor.alerts.noise import Reason
from monitor.alerts.patterns import patterns
from monitor.alerts.record import CHECKER, CONFIGURATION, What
from monitor.model import Category, Severity
from tests.make import quick

# A Saturday.
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def alert(ago: timedelta = HOUR, lasted: timedelta | None = None, by: str = CHECKER, **fields: Any) -> Alert:
    """Return an alert that opened `ago`; `lasted` None is still open."""
    known: dict[str, Any] = {
        "id": f"a-{ago}",
        "type": "http",
        "resource": "shop",
        "source": "check",
        "title": "",
        "message": "",
        "severity": Severity.P2,
        "category": Category.AVAILABILITY,
        "kind": None,
        "opened_at": NOW - ago,
    }
    ended = {} if lasted is None else {"resolved_at": NOW - ago + lasted, "resolved_by": by}
    return Alert(**known | ended | fields)


def reasons(alerts: list[Alert], **keys: Any) -> dict[Reason, str]:
    found = patterns(alerts, NOW, **keys).noisiest
    return {hint.reason: hint.sentence for hint in found[0].hints} if found else {}


ALERTS = st.lists(
    st.builds(
        alert,
        ago=st.timedeltas(timedelta(-1), timedelta(9)),
        lasted=st.none() | st.timedeltas(-HOUR, DAY),
        by=st.sampled_from((CHECKER, CONFIGURATION, "anna")),
        id=st.uuids().map(str),
        type=st.sampled_from(("http", "cpu_percent", "database_slow_query")),
        resource=st.sampled_from(("shop", "db", "web-01")),
        source=st.sampled_from(("check", "api", "rule", "manual")),
        severity=st.sampled_from(Severity),
        has_expired=st.booleans(),
        acknowledged_at=st.none() | st.just(NOW),
        acknowledged_by=st.just("anna"),
        count=st.integers(1, 500),
    ),
    max_size=40,
)
ZONES = st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York")).map(ZoneInfo)


@quick
@given(ALERTS, ZONES, st.integers(1, 30))
def test_all_sums_are_the_total(alerts: list[Alert], zone: ZoneInfo, days: int) -> None:
    found = patterns(alerts, NOW, days, zone)

    assert found.total == sum(NOW - days * DAY < one.opened_at <= NOW for one in alerts)
    assert found.total == sum(found.by_type.values()) == sum(found.by_severity.values()) == sum(found.hourly)
    assert found.total == sum(map(sum, found.weekly)) == sum(sum(map(sum, w)) for w in found.weekly_of_type.values())
    assert found.total == found.still_open + sum(found.resolved_by.values()) + found.expired
    assert {type_: sum(map(sum, week)) for type_, week in found.weekly_of_type.items()} == found.by_type
    assert [len(day) for day in found.weekly] == [24] * 7
    assert all(sum(day[hour] for day in found.weekly) == found.hourly[hour] for hour in range(24))
    assert found.peak_hour is None or found.hourly[found.peak_hour] == max(found.hourly)
    assert (found.most_common_type is None) is (found.peak_hour is None) is (found.total == 0)


@quick
@given(ALERTS, ZONES, st.randoms())
def test_the_order_of_alerts_does_not_matter(alerts: list[Alert], zone: ZoneInfo, random: Random) -> None:
    shuffled = list(alerts)
    random.shuffle(shuffled)

    one, other = patterns(alerts, NOW, 7, zone), patterns(shuffled, NOW, 7, zone)

    assert one == other
    assert list(one.by_type) == list(other.by_type)
    assert insights(one) == insights(other)
    assert insights(one)


def test_no_alerts_are_no_figures() -> None:
    found = patterns([], NOW)

    assert (found.total, found.most_common_type, found.peak_hour) == (0, None, None)
    assert (found.mean_to_acknowledge_min, found.mean_to_resolve_min) == (None, None)
    assert (found.noisiest, found.recurring) == ((), ())
    assert insights(found) == ("No alert opened in the last 7 days.",)


@pytest.mark.parametrize("days", [0, -1, 3661])
def test_days_that_are_none_are_refused(days: int) -> None:
    with pytest.raises(ValueError, match="days: expected 1 to 3660"):
        patterns([], NOW, days)


def test_only_what_opened_within_the_days_and_not_after_now_counts() -> None:
    alerts = [alert(7 * DAY), alert(7 * DAY - MINUTE), alert(timedelta()), alert(-MINUTE)]

    assert patterns(alerts, NOW).total == 2


def test_hours_and_days_are_those_of_the_zone() -> None:
    late = alert(opened_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC))

    there, here = patterns([late], NOW, 7, ZoneInfo("Europe/Berlin")), patterns([late], NOW)

    assert (there.peak_hour, there.weekly[5][0]) == (0, 1)
    assert (here.peak_hour, here.weekly[4][23]) == (23, 1)


def test_of_equals_the_peak_is_the_first_hour_and_the_most_common_type_the_first_by_name() -> None:
    found = patterns([alert(HOUR, type="b"), alert(3 * HOUR, type="a")], NOW)

    assert (found.peak_hour, found.most_common_type) == (9, "a")
    assert found.by_severity == {Severity.P1: 0, Severity.P2: 2, Severity.P3: 0, Severity.P4: 0}


def test_mean_times_count_what_people_and_the_checker_ended_and_nothing_else() -> None:
    alerts = [
        alert(10 * HOUR, 30 * MINUTE, acknowledged_at=NOW - 10 * HOUR + 5 * MINUTE, acknowledged_by="anna"),
        alert(9 * HOUR, 35 * MINUTE, by="anna"),
        alert(8 * HOUR, HOUR * 7, by=CONFIGURATION),
        alert(7 * HOUR, HOUR * 6, has_expired=True),
        alert(6 * HOUR, acknowledged_at=NOW - 6 * HOUR + 10 * MINUTE, acknowledged_by="ben"),
    ]
    found = patterns(alerts, NOW)

    assert found.mean_to_resolve_min == 32.5
    assert found.mean_to_acknowledge_min == 7.5
    assert found.resolved_by == {CHECKER: 1, CONFIGURATION: 1, "anna": 1}
    assert found.acknowledged_by == {"anna": 1, "ben": 1}
    assert (found.expired, found.still_open) == (1, 1)


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    assert patterns([alert(HOUR, -MINUTE)], NOW).mean_to_resolve_min == 0


# ---- noise


def spread(number: int, lasted: timedelta | None, step: timedelta = timedelta(hours=7), **fields: Any) -> list[Alert]:
    """Return alerts that are neither close to each other nor at the same time of day."""
    return [alert(step * (n + 1), lasted, **fields) for n in range(number)]


def test_many_short_alerts_want_more_patience() -> None:
    assert reasons(spread(4, MINUTE)) == {
        Reason.SHORT: "all 4 alerts were over by themselves within 5 m: more `retries` or a higher `fail_after`"
    }
    assert "a longer `for` in the rule" in reasons(spread(4, MINUTE, source="rule"))[Reason.SHORT]
    own = spread(4, MINUTE, source="api", by="backup-job")
    assert "only when it lasts" in reasons([replace(one, by="backup-job") for one in own])[Reason.SHORT]
    assert Reason.SHORT not in reasons(spread(2, MINUTE))
    assert Reason.SHORT not in reasons(spread(4, MINUTE, by="anna"))
    assert Reason.SHORT not in reasons(spread(4, 6 * MINUTE))


def test_alerts_that_nobody_takes_want_a_lower_severity_or_another_route() -> None:
    long = spread(3, HOUR)

    assert reasons(long) == {
        Reason.UNACKNOWLEDGED: "none of the 3 alerts that lasted 30 m or longer was acknowledged: a lower severity, or "
        "a route to somebody who looks after it"
    }
    assert reasons([*long[1:], replace(long[0], acknowledged_at=NOW)]) == {}
    assert reasons([*long[1:], replace(long[0], resolved_by="anna")]) == {}
    assert Reason.UNACKNOWLEDGED in reasons([*long[1:], replace(long[0], has_expired=True)])
    assert reasons(spread(3, 10 * MINUTE)) == {}


def test_what_comes_and_goes_is_flapping() -> None:
    alerts = spread(4, 10 * MINUTE, 20 * MINUTE)

    assert reasons(alerts)[Reason.FLAPPING] == (
        "it was back within 15 m of its end 3 times: lower `flap_low` and `flap_high` so that it counts as flapping, "
        "or look for what makes it come and go"
    )
    assert "flap_low" not in reasons([replace(one, source="rule") for one in alerts])[Reason.FLAPPING]
    assert Reason.FLAPPING not in reasons(alerts[:3])
    assert Reason.FLAPPING not in reasons([*alerts, *spread(8, 10 * MINUTE, 11 * HOUR)])
    assert Reason.FLAPPING not in reasons([replace(one, type=one.id) for one in alerts])


def test_the_same_hour_each_day_wants_a_maintenance_window_also_around_midnight() -> None:
    at = (datetime(2026, 11, day, 23, 50, tzinfo=UTC) + offset * MINUTE for day, offset in ((16, 8), (17, 0), (18, 20)))
    alerts = [alert(NOW - opened, 10 * MINUTE) for opened in at]

    assert reasons(alerts) == {
        Reason.SAME_HOUR: "3 of 3 alerts opened between 23:50 and 00:50 on 3 days: a maintenance window for that time, "
        "or a look at what runs then"
    }
    assert "between 00:50 and 01:50" in reasons(alerts, zone=ZoneInfo("Europe/Berlin"))[Reason.SAME_HOUR]
    assert reasons([*alerts, alert(HOUR, 10 * MINUTE), alert(2 * DAY, 10 * MINUTE)]) == {}
    assert Reason.SAME_HOUR not in reasons([alert(HOUR - n * MINUTE, 10 * MINUTE) for n in range(4)])


def test_one_alert_that_is_counted_up_again_and_again_wants_a_higher_threshold() -> None:
    assert reasons([alert(count=340, source="api")]) == {
        Reason.REPEATED: "it was reported 340 times in 1 alert: a higher threshold, or mend what is always beyond it"
    }
    assert patterns([alert(count=9)], NOW).noisiest == ()


def test_the_noisiest_have_most_alerts_then_most_messages() -> None:
    sent = {"k": Notification("a", "first_fail", "mail", NOW, ended=What.SENT)}
    unsent = {"k": Notification("a", "first_fail", "mail", NOW, ended=What.GAVE_UP)}
    alerts = [
        *spread(3, MINUTE, resource="most"),
        *spread(2, MINUTE, resource="told", notifications=sent),
        *spread(2, MINUTE, resource="spared", notifications=unsent),
        alert(resource="once"),
    ]
    noisiest = patterns(alerts, NOW).noisiest

    assert [(one.resource, one.alerts, one.messages) for one in noisiest] == [
        ("most", 3, 0),
        ("told", 2, 2),
        ("spared", 2, 0),
    ]


def test_what_comes_again_is_the_same_type_of_the_same_resource() -> None:
    alerts = [alert(9 * HOUR), alert(7 * HOUR), alert(HOUR), alert(2 * HOUR, type="tls"), alert(HOUR, resource="db")]
    (again,) = patterns(alerts, NOW).recurring

    assert (again.type, again.resource, again.alerts) == ("http", "shop", 3)
    assert again.every_s == 4 * 3600
    assert again.last_at == NOW - HOUR


# ---- insights


def rush(type_: str, hour: int, days: int, each: int) -> list[Alert]:
    first = datetime(2026, 11, 15, hour, 5, tzinfo=UTC)
    opened = [first + day * DAY + n * MINUTE for day in range(days) for n in range(each)]
    return [alert(NOW - at, 40 * MINUTE, type=type_, resource=f"r{n}", by="anna") for n, at in enumerate(opened)]


def test_a_habit_is_said_with_its_hours_figures_and_what_to_do() -> None:
    said = insights(patterns([*rush("database_slow_query", 14, 4, 3), alert(HOUR, type="http")], NOW))

    assert said[:2] == (
        "13 alerts opened in the last 7 days; 1 still open.",
        "Most common is database_slow_query: 12 of 13 alerts.",
    )
    assert "Most alerts open between 14:00 and 15:00: 12 of 13, on 4 days of the week." in said
    assert (
        "Database queries slow down between 14:00 and 15:00 (12 of 12 times, on 4 days of the week): add indexes, or "
        "scale it before 14:00." in said
    )
    assert "Alerts were resolved after 40 m on average." in said
    assert "None of the 13 alerts was acknowledged." in said


def test_hours_next_to_the_peak_belong_to_it_also_around_midnight() -> None:
    alerts = [*rush("nightly", 23, 5, 3), *rush("nightly", 0, 5, 2)]

    assert "nightly comes most often between 23:00 and 01:00 (25 of 25 times" in "\n".join(
        insights(patterns(alerts, NOW))
    )


def test_one_bad_afternoon_or_an_even_spread_is_no_habit() -> None:
    afternoon = insights(patterns(rush("cpu_percent", 14, 1, 12), NOW))
    even = insights(patterns([one for hour in range(24) for one in rush("cpu_percent", hour, 5, 1)], NOW))

    assert not any("between" in sentence for sentence in (*afternoon, *even))


def test_noise_and_what_comes_again_are_said_with_what_would_quieten_them() -> None:
    said = insights(patterns(spread(6, MINUTE), NOW))

    assert "shop: all 6 alerts were over by themselves within 5 m: more `retries` or a higher `fail_after`." in said
    assert "http of shop came 6 times, typically 7 h after the time before." in said


def test_what_only_expires_is_said() -> None:
    said = insights(patterns(spread(4, HOUR, has_expired=True), NOW))

    assert any(sentence.startswith("4 of 4 alerts expired") for sentence in said)
    assert not any("on average" in sentence for sentence in said)
