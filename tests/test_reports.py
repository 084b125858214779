"""Status reports: how long, how often, what stands out, and by which accounting."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from monitor.alerts import Alert
from monitor.ledger import ACCOUNTING, Tally
from monitor.model import Category, Severity
from monitor.reports import Report, build_report, percent
from tests.make import at

DAY = 86400.0
NAMES = ("shop", "db", "queue")


def alert(name: str = "shop", opened: float = 100, resolved: float | None = None, **fields: Any) -> Alert:
    made = Alert("a-1", "http", name, "check", "", "", Severity.P1, Category.AVAILABILITY, None, at(opened))
    return replace(made, resolved_at=None if resolved is None else at(resolved), **fields)


def report(tallies: dict[str, Tally] | None = None, *alerts: Alert, names: tuple[str, ...] = NAMES) -> Report:
    return build_report(tallies or {}, alerts, at(), at(DAY), names)


def row(made: Report, name: str) -> Any:
    return next(service for service in made.services if service.service == name)


def test_a_service_has_its_seconds_its_incidents_and_its_time_to_recover() -> None:
    made = report(
        {"shop": Tally(up_s=8000.04, degraded_s=1000, down_s=1000, unknown_s=76399.96)},
        alert(opened=100, resolved=400),
        alert(opened=1000, resolved=1700),
        alert(opened=5000),
    )
    shop = row(made, "shop")

    assert shop.uptime_ratio == pytest.approx(0.9, abs=1e-5)
    assert (shop.up_s, shop.degraded_s, shop.down_s, shop.unknown_s) == (8000.0, 1000.0, 1000.0, 76400.0)
    assert (shop.incidents, shop.mean_time_to_recover_s) == (3, 500.0)


def test_only_incidents_of_this_service_by_its_check_and_within_the_period_count() -> None:
    made = report(
        {"shop": Tally(up_s=DAY)},
        alert(opened=0),
        alert(opened=-5, resolved=10),
        alert(opened=DAY),
        alert(opened=DAY + 1),
        alert(opened=50, source="manual"),
        alert("db", opened=50),
    )

    assert row(made, "shop").incidents == 1
    assert row(made, "shop").mean_time_to_recover_s is None
    assert row(made, "db").incidents == 1


def test_a_service_without_a_verdict_is_all_unknown_and_has_no_ratio() -> None:
    queue = row(report({"shop": Tally(up_s=DAY)}), "queue")

    assert (queue.uptime_ratio, queue.unknown_s, queue.up_s) == (None, DAY, 0.0)


def test_the_worst_comes_first_and_the_unwatched_last() -> None:
    made = report({"shop": Tally(up_s=DAY), "db": Tally(up_s=1, down_s=1)}, names=("queue", "shop", "db", "archive"))

    assert [service.service for service in made.services] == ["db", "shop", "archive", "queue"]


def test_together_means_all_seconds_of_the_named_services() -> None:
    tallies = {"shop": Tally(up_s=300), "db": Tally(down_s=100), "other": Tally(down_s=10_000)}

    assert report(tallies).uptime_ratio == 0.75
    assert report().uptime_ratio is None


def test_an_outage_of_a_member_counts_once_however_many_groups_it_is_in() -> None:
    tallies = {"shop": Tally(up_s=300), "db": Tally(down_s=100), "both": Tally(down_s=100), "all": Tally(down_s=100)}
    names, groups = ("all", "both", "db", "shop"), ("both", "all")
    made = build_report(tallies, [], at(), at(400), names, groups)

    assert made.uptime_ratio == 0.75
    assert {one.service: one.is_group for one in made.services} == dict.fromkeys(groups, True) | dict.fromkeys(
        ("db", "shop"), False
    )
    assert [line for line in made.insights if " was down " in line] == ["db was down for 1 m 40 s in 0 incidents."]
    assert "\nboth (group)" in made.to_text()


def test_a_report_on_groups_alone_is_about_them() -> None:
    tallies = {"both": Tally(up_s=300, down_s=100)}
    made = build_report(tallies, [], at(), at(400), ("both",), ("both",))

    assert made.uptime_ratio == 0.75
    assert made.insights[0].startswith("both was down for")


def test_the_accounting_is_named_in_every_form() -> None:
    made = report({"shop": Tally(up_s=DAY)})

    assert made.accounting == ACCOUNTING
    assert made.to_json()["accounting"] == ACCOUNTING
    assert ACCOUNTING in made.to_text()


def test_the_json_is_plain_and_complete() -> None:
    made = orjson.loads(orjson.dumps(report({"shop": Tally(up_s=DAY)}, names=("shop",)).to_json()))

    assert (made["since"], made["until"]) == ("2026-11-20T14:00:00.123Z", "2026-11-21T14:00:00.123Z")
    assert made["uptime_ratio"] == 1.0
    assert made["services"] == [
        {
            "service": "shop",
            "uptime_ratio": 1.0,
            "up_s": DAY,
            "degraded_s": 0.0,
            "down_s": 0.0,
            "unknown_s": 0.0,
            "incidents": 0,
            "mean_time_to_recover_s": None,
            "is_group": False,
            "maintenance_s": 0.0,
        }
    ]
    assert made["insights"] == ["No service was down while it was watched."]


def test_the_text_is_a_table_that_a_terminal_shows() -> None:
    tallies = {"shop": Tally(up_s=DAY - 90, down_s=90), "a-service-of-a-long-name": Tally(up_s=DAY)}
    text = report(tallies, alert(resolved=190), names=("shop", "a-service-of-a-long-name")).to_text()

    assert text.splitlines()[:5] == [
        "Status report 2026-11-20 14:00 to 2026-11-21 14:00 UTC",
        "",
        "service                      uptime        down    degraded     unknown  incidents",
        "shop                        99.90 %    1 m 30 s         0 s         0 s          1",
        "a-service-of-a-long-name      100 %         0 s         0 s         0 s          0",
    ]
    assert "All together: 99.95 % up." in text
    assert "- shop was down for 1 m 30 s in 1 incident, 1 m 30 s to recover on average." in text


def test_a_report_on_nothing_says_so() -> None:
    made = report(names=())

    assert made.insights == ("Nothing was watched in this period.",)
    assert "All together: – up." in made.to_text()


def test_the_period_is_told_in_the_zone_and_both_names_when_the_clocks_change_in_it() -> None:
    summer, winter = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)

    def head(since: datetime) -> str:
        return Report(since, winter, (), None, ()).to_text("Europe/Berlin").splitlines()[0]

    assert head(summer) == "Status report 2026-10-25 00:00 CEST to 2026-10-26 00:00 CET"
    assert head(winter - timedelta(hours=1)) == "Status report 2026-10-25 23:00 to 2026-10-26 00:00 CET"


def test_what_stands_out_is_the_longest_down_the_slow_and_the_unwatched() -> None:
    down = {f"s{n}": Tally(up_s=DAY - n * 60, down_s=n * 60) for n in range(1, 6)}
    made = report(
        {**down, "slow": Tally(up_s=DAY - 300, degraded_s=300), "dark": Tally(up_s=1000, unknown_s=DAY - 1000)},
        names=(*down, "slow", "dark", "never"),
    )

    assert made.insights == (
        "s5 was down for 5 m in 0 incidents.",
        "s4 was down for 4 m in 0 incidents.",
        "s3 was down for 3 m in 0 incidents.",
        "slow answered slowly for 5 m.",
        "2 services had less than half of the period watched: their figures say little.",
    )


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "–"), (1.0, "100 %"), (0.999999, "99.99 %"), (0.99996, "99.99 %"), (0.9994, "99.94 %"), (0.0, "0.00 %")],
)
def test_a_ratio_is_never_rounded_up_to_all(ratio: float | None, text: str) -> None:
    assert percent(ratio) == text
