"""What messages say beyond the plain opening, messages of many, templates of one's own, and the test of a channel."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts import Alert, AlertEvent, Notification, What
from monitor.channels import Letterhead, Message, compose, preview, read_templates, sample, told_of, trial_message
from monitor.channels.console import line
from monitor.channels.templates import BUILT_IN, Templates, compiled
from monitor.model import Kind, Severity
from tests.make import quick
from tests.messages import DATABASE, message_of, notified

OPENED = datetime(2026, 11, 21, 14, 3, 5, tzinfo=UTC)
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")
WALL = "https://wall.example.org"
DB = replace(
    DATABASE,
    id="a-1",
)
BACK = replace(DB, resolved_at=OPENED + timedelta(minutes=12), resolved_by="checker", resolution="recovered")


def row(message: Message, label: str) -> str:
    return next((one.partition(": ")[2] for one in message.text.splitlines() if one.startswith(f"{label}: ")), "")


class TestOfOne:
    def test_it_says_who_is_affected_whether_it_comes_again_and_what_to_do(self) -> None:
        alert = replace(
            DB,
            affected_users=1200,
            metadata={"impact": "nobody can pay"},
            count=14,
            last_seen_at=OPENED + timedelta(minutes=2),
            previous="2026-11-02, ann: raised max_connections",
            recommendations=("Restart the pool: `systemctl restart pool`", "Ask ann"),
            owner="team-orders",
        )
        message = message_of(alert, "first_fail", None, OPENED)
        assert row(message, "Affected") == "1,200 users; nobody can pay"
        assert row(message, "Again") == "seen 14 times, last 2026-11-21 14:05:05Z"
        assert row(message, "Last time") == "2026-11-02, ann: raised max_connections"
        assert row(message, "Owner") == "team-orders"
        assert message.text.endswith("What to do:\n- Restart the pool: `systemctl restart pool`\n- Ask ann")

    @pytest.mark.parametrize(
        ("kind", "message", "why"),
        [
            (Kind.STATUS, "status is 503, expected 200", "status is 503, expected 200"),
            (Kind.STATUS, "503 instead of 200", "status: 503 instead of 200"),
            (Kind.CONNECT, "Failed to connect to 10.0.0.1:9", "Failed to connect to 10.0.0.1:9"),
            (Kind.TIMEOUT, "no answer within 10 s", "no answer within 10 s"),
            (Kind.DNS, "Could not resolve host: db", "Could not resolve host: db"),
            (Kind.TLS, "the certificate has expired", "the certificate has expired"),
            (Kind.CONTENT, "$.ok is false, expected true", "content: $.ok is false, expected true"),
            (None, "queue is stuck", "queue is stuck"),
        ],
    )
    def test_the_kind_is_said_once(self, kind: Kind | None, message: str, why: str) -> None:
        assert row(message_of(replace(DB, kind=kind, message=message), "first_fail", None, OPENED), "Why") == why

    def test_times_are_in_the_zone_of_the_people(self) -> None:
        told = notified(BACK, "recovered")
        message = compose([told], "k", Letterhead(None, "Europe/Berlin"), OPENED)
        assert row(message, "Since") == "2026-11-21 15:03:05 CET until 2026-11-21 15:15:05 CET (12 m)"

    @pytest.mark.parametrize(
        ("alert", "event", "subject"),
        [
            (replace(DB, opening="warn"), "warn", "[P1 WARN] orders-db answers with an error"),
            (replace(DB, opening="flaps", title="orders-db flaps"), "flaps", "[P1 FLAPS] orders-db flaps"),
            (replace(DB, opening="rule", source="rule"), "rule", "[P1 ALERT] orders-db answers with an error"),
            (replace(DB, opening="reported", source="api"), "reported", "[P1 ALERT] orders-db answers with an error"),
            (DB, "raised-P1", "[P1 FAIL] now P1: orders-db answers with an error"),
            (DB, "escalation-2", "[P1 FAIL] not acknowledged for 30 m: orders-db answers with an error"),
            (DB, "reminder-3", "[P1 FAIL] still open after 30 m: orders-db answers with an error"),
            (
                replace(DB, opening="warn"),
                "reminder-3",
                "[P1 WARN] still open after 30 m: orders-db answers with an error",
            ),
            (
                replace(DB, acknowledged_by="ann"),
                "acknowledged",
                "[P1 ACK] ann has it: orders-db answers with an error",
            ),
            (replace(BACK, resolved_by="shop-api"), "recovered", "[P1 CLOSED] orders-db closed by shop-api after 12 m"),
            (
                replace(BACK, has_expired=True),
                "recovered",
                "[P1 CLOSED] orders-db expired: not reported again, after 12 m",
            ),
        ],
    )
    def test_the_subject_says_what_is_told(self, alert: Alert, event: str, subject: str) -> None:
        assert message_of(alert, event, None, OPENED + timedelta(minutes=30)).subject == subject

    def test_an_outage_lasted_from_the_first_bad_verdict_where_that_is_known(self) -> None:
        late = replace(BACK, bad_since=OPENED - timedelta(minutes=3))
        message = message_of(late, "recovered", None, OPENED)
        assert message.subject == "[P1 OK] orders-db recovered after 15 m"
        assert row(message, "Since") == "2026-11-21 14:00:05Z until 2026-11-21 14:15:05Z (15 m)"
        still_open = message_of(replace(DB, bad_since=late.bad_since), "reminder-1", None, OPENED + timedelta(hours=1))
        assert row(still_open, "Since") == "2026-11-21 14:00:05Z (1 h 3 m ago)"
        assert "still open after 1 h: " in still_open.subject, "it was nobody's alert before it opened"

    @pytest.mark.parametrize(
        ("still", "heading", "mind"),
        [
            (
                "FAIL",
                "orders-db closed by ann after 12 m: it still fails",
                "nobody is told of it until it has been well again",
            ),
            (
                "WARN",
                "orders-db closed by ann after 12 m: it still warns",
                "nobody is told of it until it has been well again, or fails",
            ),
            ("", "orders-db closed by ann after 12 m", ""),
        ],
    )
    def test_what_a_person_closes_while_it_fails_is_not_told_as_if_it_were_well(
        self, still: str, heading: str, mind: str
    ) -> None:
        closed = replace(BACK, resolved_by="ann", resolution="known", still=still)
        message = message_of(closed, "recovered", None, OPENED)
        assert message.subject == f"[P1 CLOSED] {heading}"
        assert row(message, "From now on") == mind
        assert row(message, "How it ended") == "known"

    def test_the_end_names_the_remedy_that_helped(self) -> None:
        def remedy(phase: str, effect: str, note: str) -> AlertEvent:
            data = {"phase": phase, "effect": effect, "action": "systemd_restart", "target": "db.service"}
            return AlertEvent(OPENED, What.REMEDY, DB.id, note=note, data=data)

        tried = (remedy("verdict", "no effect", "no effect: it still fails"), remedy("ran", "", "done"))
        helped = remedy("verdict", "helped", "helped: well 4 s after it began")
        message = message_of(replace(BACK, events=(*tried, helped)), "recovered", None, OPENED)
        assert message.subject == "[P1 OK] orders-db recovered after 12 m, systemd_restart helped"
        assert row(message, "Remedy") == "systemd_restart db.service helped: well 4 s after it began"
        assert "Remedy" not in message_of(replace(BACK, events=tried), "recovered", None, OPENED).text

    def test_what_waited_for_the_end_of_quiet_hours_says_so(self) -> None:
        told = Notification(DB.id, "warn", "ops", OPENED, not_before=OPENED + timedelta(hours=9))
        message = compose([(DB, told)], "k", Letterhead(None, "Europe/Berlin"), OPENED + timedelta(hours=9))
        assert message.subject.endswith("answers with an error (held back in quiet hours since 15:03)")

    def test_the_short_form_is_a_hundred_characters_with_the_reason(self) -> None:
        message = message_of(replace(DB, message="B" * 500), "first_fail", WALL, OPENED)
        assert message.short.startswith("[P1 FAIL] orders-db answers with an error: BBB")
        assert len(message.short) == 100

    def test_what_follows_the_opening_knows_it_only_on_its_own_channel(self) -> None:
        told_elsewhere = Notification(DB.id, "first_fail", "email", OPENED, batch="b-1")
        alert = replace(DB, notifications={told_elsewhere.key: told_elsewhere})
        told = Notification(DB.id, "escalation-1", "pager", OPENED, batch="b-2")
        alert = replace(alert, notifications={**alert.notifications, told.key: told})
        assert compose([(alert, told)], "b-2", Letterhead(), OPENED).members[0].opening is None

    @quick
    @given(st.text(max_size=300), st.sampled_from(["first_fail", "recovered", "escalation-1", "acknowledged"]))
    def test_no_text_breaks_a_line_or_a_tag(self, text: str, event: str) -> None:
        alert = replace(
            BACK,
            **dict.fromkeys(("resource", "title", "message", "resolution", "owner", "runbook", "previous"), text),
            recommendations=(text,),
            metadata={"impact": text},
            acknowledged_by=text,
        )
        alert = replace(alert, resolved_at=None) if event != "recovered" else alert
        plain = message_of(replace(DB, resolved_at=alert.resolved_at, resolved_by="checker"), event, WALL, OPENED)
        message = message_of(alert, event, WALL, OPENED)
        assert not UNSAFE.search(message.subject + message.short + message.text.replace("\n", ""))
        kinds = set(re.findall(r"<(/?\w+)", message.html))
        assert kinds <= set(re.findall(r"<(/?\w+)", plain.html)) | {"a", "/a"}


def alerts(count: int, **more: object) -> list[Alert]:
    return [replace(DB, id=f"a-{n}", resource=f"shop-{n}", title=f"shop-{n} fails", **more) for n in range(count)]  # type: ignore[arg-type]


class TestOfMany:
    def test_what_is_worse_now_is_news_only_to_whoever_knew_of_it(self) -> None:
        told, raised = (Notification(DB.id, event, "ops", OPENED) for event in ("warn", "raised-P1"))
        fresh = compose([(DB, told), (DB, raised)], "k", Letterhead(), OPENED)
        assert "now P1" not in fresh.subject
        known = replace(DB, notifications={told.key: replace(told, batch="b-1")})
        assert compose([(known, raised)], "k", Letterhead(), OPENED).subject.startswith("[P1 FAIL] now P1: ")

    def test_what_to_do_stands_above_the_links_of_a_mail(self) -> None:
        html = message_of(replace(DB, recommendations=("Restart it",)), "first_fail", WALL, OPENED).html
        assert html.index("Restart it") < html.index("<a href")

    def test_the_subject_counts_and_the_worst_is_first(self) -> None:
        told = [notified(one, "first_fail") for one in alerts(298, severity=Severity.P3)]
        told += [notified(replace(BACK, id=f"b-{n}", severity=Severity.P1), "recovered") for n in range(2)]
        told.append(notified(replace(DB, id="c-1"), "first_fail"))
        message = compose(told, "joined-1", Letterhead(WALL), OPENED)
        assert message.subject == (
            "[P1 FAIL] 301 alerts: 299 open, 2 recovered, the worst: orders-db, shop-0, shop-1, shop-2, shop-3"
        ), "which service it is stands on the locked screen"
        assert (message.severity, message.status, message.event, message.is_end) == (
            Severity.P1,
            "FAIL",
            "joined",
            False,
        )
        lines = message.text.splitlines()
        assert lines[2] == "All of them: https://wall.example.org/alerts"
        assert lines[4].startswith("- P1 FAIL orders-db answers with an error: status is 503, expected 200 (since ")
        assert lines[-1] == "and 281 more"
        assert message.html.count("border-left") == 20

    def test_when_all_are_over_it_is_an_end(self) -> None:
        ended = [replace(BACK, id=f"b-{n}", resolved_by="ann" if n else "checker") for n in range(3)]
        message = compose([notified(one, "recovered") for one in ended], "k", Letterhead(), OPENED)
        assert message.is_end
        assert message.subject == "[P1 OK] 3 alerts: 3 over (orders-db)"
        assert "2e7d32" in message.html

    def test_what_recovered_is_not_named_among_what_is_open(self) -> None:
        told = [notified(replace(BACK, id="b-1", resource="cart"), "recovered"), notified(DB, "first_fail")]
        message = compose(told, "k", Letterhead(WALL), OPENED)
        assert message.subject == "[P1 FAIL] 2 alerts: 1 open, 1 recovered, the worst: orders-db"
        assert message.short == message.subject
        assert "<br>status is 503, expected 200</td>" in message.html
        assert sum("status is 503" in line for line in message.text.splitlines()) == 1, "why it broke is over, too"

    def test_what_has_recovered_has_no_worst(self) -> None:
        ended = [replace(BACK, id=f"b-{n}", resource=f"shop-{n}") for n in range(6)]
        message = compose([notified(one, "recovered") for one in ended], "k", Letterhead(), OPENED)
        assert message.subject == "[P1 OK] 6 alerts: 6 recovered (shop-0, shop-1, shop-2, shop-3, shop-4, …)"
        assert message.short == message.subject[:100]
        assert "worst" not in message.text

    def test_reminders_are_told_from_what_is_new(self) -> None:
        reminded = [notified(one, "reminder-1") for one in alerts(6)]
        message = compose(reminded, "k", Letterhead(), OPENED)
        assert message.subject.startswith("[P1 FAIL] 6 alerts: 6 still open, the worst: ")
        fresh = [notified(replace(DB, id="c-1"), "first_fail"), notified(replace(BACK, id="c-2"), "recovered")]
        mixed = compose([*reminded, *fresh], "k", Letterhead(), OPENED)
        assert mixed.subject.startswith("[P1 FAIL] 8 alerts: 1 new, 6 still open, 1 recovered, the worst: ")
        escalated = compose([notified(one, "escalation-1") for one in alerts(2)], "k", Letterhead(), OPENED)
        assert escalated.subject.startswith("[P1 FAIL] not acknowledged: 2 alerts: 2 still open, the worst: ")

    def test_a_digest_says_that_it_is_one(self) -> None:
        morning = OPENED + timedelta(hours=9)
        held = [
            (one, Notification(one.id, "first_fail", "ops", OPENED + timedelta(minutes=n), not_before=morning))
            for n, one in enumerate(alerts(3))
        ]
        over = replace(held[0][0], resolved_at=OPENED + timedelta(hours=1), resolved_by="checker")
        end = Notification(over.id, "recovered", "ops", OPENED + timedelta(hours=1))
        digest = compose([(over, held[0][1]), *held[1:], (over, end)], "k", Letterhead(), morning)
        said = "3 alerts held back in quiet hours since 14:03: 2 open, 1 recovered"
        assert digest.subject == f"[P1 FAIL] {said}, the worst: shop-1, shop-2"
        mixed = compose([*held, notified(replace(DB, id="c-1"), "first_fail")], "k", Letterhead(), morning)
        assert "4 alerts, 3 of them held back in quiet hours since 14:03: 4 open" in mixed.subject
        weekend = compose(held, "k", Letterhead(), OPENED + timedelta(hours=50))
        assert "held back in quiet hours since Sat 14:03: " in weekend.subject

    def test_an_alert_that_is_told_of_twice_stands_once_with_what_came_last(self) -> None:
        first, second = (Notification(DB.id, event, "ops", OPENED) for event in ("first_fail", "escalation-1"))
        message = compose([(DB, first), (DB, second)], "k", Letterhead(), OPENED)
        assert [member.event for member in message.members] == ["escalation-1"]
        assert message.event == "escalation-1"

    def test_the_console_has_one_line_for_all(self) -> None:
        message = compose([notified(one, "first_fail") for one in alerts(300)], "k", Letterhead(), OPENED)
        said = "[P1 FAIL] 300 alerts: 300 open, the worst: shop-0, shop-1, shop-2, shop-3, shop-4"
        assert line(message, OPENED) == f"2026-11-21 14:03:05Z ALERT {said}"

    def test_five_hundred_are_bounded(self) -> None:
        long = alerts(500, message="A" * 10_000)
        message = compose([notified(one, "first_fail") for one in long], "k", Letterhead(WALL), OPENED)
        assert len(message.text) < 4000
        assert len(message.html) < 20_000

    def test_nothing_is_no_message(self) -> None:
        with pytest.raises(ValueError, match="at least one alert"):
            compose([], "k", Letterhead(), OPENED)


class TestTemplatesOfOnesOwn:
    def folder(self, path: Path, **texts: str) -> Path:
        (path / "messages").mkdir()
        for name, text in texts.items():
            (path / "messages" / f"{name}.txt").write_text(text, "utf-8")
        return path

    def test_they_take_the_place_of_the_built_in_ones(self, tmp_path: Path) -> None:
        folder = self.folder(
            tmp_path, subject="{{ status }} {{ where or total }}", short="{{ severity }}: {{ heading }}"
        )
        templates, problems = read_templates(folder)
        assert problems == ()
        message = compose([notified(DB, "first_fail")], "k", Letterhead(WALL, templates=templates), OPENED)
        assert (message.subject, message.short) == ("FAIL orders-db", "P1: orders-db answers with an error")
        assert message.text == compose([notified(DB, "first_fail")], "k", Letterhead(WALL), OPENED).text

    def test_html_is_escaped_by_itself(self, tmp_path: Path) -> None:
        templates, _ = read_templates(self.folder(tmp_path, html="<p>{{ heading }}</p>"))
        told = notified(replace(DB, title="<script>"), "first_fail")
        assert compose([told], "k", Letterhead(templates=templates), OPENED).html == "<p>&lt;script&gt;</p>"

    @pytest.mark.parametrize(
        ("name", "text", "problem"),
        [
            ("text", "{{ heading }}\n{% if %}", "messages/text.txt: line 2: Expected an expression, got 'end of stat"),
            ("text", "{{ nobody }}", "messages/text.txt: UndefinedError: 'nobody' is undefined"),
            ("text", "{{ alerts[1].heading }}", "messages/text.txt: UndefinedError"),
            ("text", "{{ 1 / 0 }}", "messages/text.txt: ZeroDivisionError"),
            ("text", "{% if many %}x{% endif %}", "messages/text.txt: it is empty for first_fail"),
            ("subject", "{{ ''.__class__.__mro__ }}", "messages/subject.txt: SecurityError"),
            ("subject", "{% for n in range(9999999) %}x{% endfor %}", "messages/subject.txt: OverflowError"),
            ("text", "{{ 'a' * 1000000000 }}", "messages/text.txt: SecurityError: expected at most 200000 characters"),
            ("text", "{{ [1] * 999999999 }}", "messages/text.txt: SecurityError: expected at most 200000 characters"),
            ("text", "{{ 9 ** 9 ** 9 }}", "messages/text.txt: SecurityError: expected no `**`"),
            (
                "text",
                "{% for a in range(9999) %}{% for b in range(99) %}x{% endfor %}{% endfor %}",
                "messages/text.txt: SecurityError: it writes more than 200000 characters",
            ),
            ("text", "{{ lipsum(n=9999) }}", "messages/text.txt: UndefinedError"),
            ("text", "{{" + "(" * 9000 + "1" + ")" * 9000 + "}}", "messages/text.txt: it is nested too deep"),
            ("mail", "x", "messages/mail.txt: expected one of subject.txt, text.txt, html.txt, short.txt"),
            ("text", "x" * 100_001, "messages/text.txt: expected at most 100000 bytes"),
        ],
    )
    def test_one_that_cannot_work_is_said_and_the_built_in_one_stays(
        self, tmp_path: Path, name: str, text: str, problem: str
    ) -> None:
        templates, problems = read_templates(self.folder(tmp_path, **{name: text}))
        assert len(problems) == 1
        assert problems[0].startswith(problem)
        assert templates == BUILT_IN

    def test_without_the_folder_there_is_nothing_to_say(self, tmp_path: Path) -> None:
        assert read_templates(tmp_path) == (BUILT_IN, ())

    def test_one_that_breaks_while_an_alert_is_told_does_not_lose_it(self, caplog: pytest.LogCaptureFixture) -> None:
        broken = Templates({"text": compiled("text", "{{ 1 // (total - 1) }}")})
        message = compose([notified(DB, "first_fail")], "k", Letterhead(templates=broken), OPENED)
        assert message.text.startswith("orders-db answers with an error\n\nWhere: orders-db")
        assert "messages/text.txt: ZeroDivisionError" in caplog.text


class TestBeforeThereIsTrouble:
    @pytest.mark.parametrize("event", ["first_fail", "recovered", "escalation-1"])
    def test_a_sample_shows_every_form(self, event: str) -> None:
        shown = preview(sample(OPENED, event), Letterhead(WALL), OPENED)
        assert set(shown) == {"subject", "text", "html", "short"}
        assert all("orders-db" in text for text in shown.values())

    def test_a_real_alert_is_shown_as_it_was_or_would_be_told(self) -> None:
        assert preview(told_of(DB), Letterhead(), OPENED)["subject"] == "[P1 FAIL] orders-db answers with an error"
        assert preview(told_of(BACK), Letterhead(), OPENED)["subject"] == "[P1 OK] orders-db recovered after 12 m"

    def test_the_test_of_a_channel_says_that_it_is_one(self) -> None:
        message = trial_message("ops", "ann", Letterhead(WALL), OPENED)
        assert message.subject == "[P4 TEST] This is a test of channel ops, sent by ann"
        assert not message.is_end
        assert row(message, "Why") == "Nothing is broken, and there is nothing to do."
