"""Which cause is named first: its own where the target answered, a shared one only where several got no answer."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import AlertEvent, What
from monitor.config import CHECK_MODELS, CheckBase, DiagnosisBlock, Environment, Place
from monitor.diagnosis import Evidence, diagnose, explain, gather
from monitor.diagnosis.silence import Silence, silence_of
from monitor.diagnosis.target import target_of
from monitor.diagnosis.target.look import is_loopback
from monitor.model import Finding, Kind, Outcome, Result, Status
from monitor.state import CheckState
from monitor.views import Views
from tests.test_diagnosis import NOW, alerts_of, bad, course, evidence, ok, opened, same, state_after

REFUSED = "Failed to connect to 127.0.0.1 port 9443 after 0 ms: Could not connect to server (Connection refused)"
CONNECTED = {"dns": 0.1, "connect": 0.2, "total": 4000.0}


def check_of(kind: str, name: str, **keys: Any) -> CheckBase:
    return CHECK_MODELS[kind].model_validate({"name": name, "type": kind, "group": "Shop"} | keys)


def web(name: str, url: str, **keys: Any) -> CheckBase:
    return check_of("http", name, url=url, **keys)


def seen(outcome: Outcome, check: CheckBase, *others: tuple[CheckBase, Outcome], timezone: str = "UTC") -> Evidence:
    """The evidence when the check was good and then failed five times like this, and the others with it."""
    results = course(*[ok()] * 20, *[outcome] * 5, name=check.name)
    onset = results[20].at
    near = [Result(onset + timedelta(seconds=10), one.name, its) for one, its in others]
    known = {one.name: one for one in (check, *(one for one, _ in others))}
    state = state_after(results)
    return gather(check.name, NOW, results, near, state, (), check, 3600.0, checks=known, timezone=timezone)


def cause(known: Evidence) -> str:
    return explain(known).split("### Most likely cause\n")[1].split("\n### ")[0].strip()


def first_command(known: Evidence) -> str:
    return explain(known).split("```sh\n")[1].split("```")[0].strip()


# What answered has its own cause


REDIS = check_of("redis", "cache", url="redis://127.0.0.1:6379/0")
WRONGPASS = bad(Kind.AUTH, "WRONGPASS invalid username-password pair or user is disabled.", address="127.0.0.1")
SITE = check_of("tls", "certificate", host="localhost", port=9443)
EXPIRED = bad(Kind.TLS, "end", Finding("end of the certificate", "still to come", "2026-11-20 00:00 UTC, 1 day ago"))
NAME = check_of("dns", "name", query="shop.example", record="A", resolver="127.0.0.1:9053", expect=["10.0.0.1"])
WRONG_ANSWER = bad(Kind.CONTENT, "wrong", Finding("answers", "10.0.0.1", "10.0.0.9"))
DISK = check_of("host", "disk", metric="disk", path="/", crit_percent=90)
FULL = bad(Kind.RESOURCE, "disk used is 97 %", Finding("disk used", "at most 90 %", "97 %"))
ANSWERS = [(REDIS, WRONGPASS), (SITE, EXPIRED), (NAME, WRONG_ANSWER), (DISK, FULL)]


@pytest.mark.parametrize(
    ("subject", "wanted"),
    [
        (0, "refuses the login"),
        (1, "The certificate at `localhost:9443` has expired"),
        (2, "`shop.example"),
        (3, "The disk is filled beyond the limit"),
    ],
    ids=["password", "certificate", "name", "disk"],
)
def test_an_answer_has_its_own_cause_whatever_else_fails_on_the_machine(subject: int, wanted: str) -> None:
    known = seen(*reversed(ANSWERS[subject]), *(one for i, one in enumerate(ANSWERS) if i != subject))  # type: ignore[misc]
    assert wanted in cause(known)
    for guess in ("One cause behind", "the group shares", "Taken by itself", "at its limit too", "as a whole"):
        assert guess not in explain(known)
    assert not first_command(known).startswith("uptime; df -h; free -h")


def test_an_answer_is_not_put_together_with_silence_of_the_same_host() -> None:
    silent = (web("web", "http://10.0.0.5/"), bad(Kind.TIMEOUT, "no connection", phases={"dns": 1.0}))
    text = explain(seen(bad(Kind.STATUS, "status is 500", code=500), web("api", "http://10.0.0.5:81/"), silent))
    assert "One cause behind" not in text
    text = explain(seen(silent[1], silent[0], (web("api", "http://10.0.0.5:81/"), bad(Kind.STATUS, "x", code=500))))
    assert "One cause behind" not in text


def test_a_check_that_was_always_refused_its_login_is_told_so_first() -> None:
    known = evidence(course(*[WRONGPASS] * 20, name="cache"), check=REDIS)
    assert cause(known).startswith("The Redis server at `127.0.0.1:6379` refuses the login")
    assert "It has never been seen OK" in explain(known)


@pytest.mark.parametrize(("kind", "holds"), [(Kind.STATUS, True), (Kind.AUTH, False)])
def test_answers_of_one_process_that_went_bad_together_are_a_hint_and_no_cause(kind: Kind, holds: bool) -> None:
    other = (web("b", "http://10.0.0.5:8000/b"), bad(kind, "x", code=500))
    elsewhere = (web("c", "http://10.0.0.5:8001/c"), bad(kind, "x", code=500))
    third = (web("d", "http://10.0.0.6:8000/d"), bad(kind, "x", code=500))
    known = seen(bad(kind, "x", code=500), web("a", "http://10.0.0.5:8000/a"), other, elsewhere, third)
    assert ("`b` (status)" in explain(known)) is holds
    assert "`c`" not in explain(known) and "`d`" not in explain(known)
    assert "Taken by itself" not in explain(known)


# Silence


TIMEOUT = bad(Kind.TIMEOUT, "no connection within 5 s", phases={"dns": 1.0})
REFUSAL = bad(Kind.CONNECT, REFUSED, address="127.0.0.1")
FAR_REFUSAL = bad(Kind.CONNECT, "Failed to connect to 10.0.0.5:80: Could not connect (Connection refused)")
NO_ROUTE = bad(Kind.CONNECT, "Failed to connect (No route to host)")
HUNG = bad(Kind.TIMEOUT, "connected, but no answer within 4 s", phases=CONNECTED)
NO_NAME = bad(Kind.DNS, "Could not resolve host: shop.example")


@pytest.mark.parametrize(
    ("kind", "keys", "outcome", "wanted"),
    [
        ("http", {"url": "http://10.0.0.5/"}, TIMEOUT, Silence.HOST),
        ("http", {"url": "http://10.0.0.5/"}, NO_ROUTE, Silence.HOST),
        ("http", {"url": "http://10.0.0.5/"}, FAR_REFUSAL, Silence.PORT),
        ("http", {"url": "http://127.0.0.1/"}, FAR_REFUSAL, Silence.PORT),
        ("http", {"url": "http://10.0.0.5/"}, HUNG, Silence.PROCESS),
        ("http", {"url": "http://shop.example/"}, NO_NAME, Silence.NAME),
        # The kernel of our own machine is there: a connection that is not made is a queue that is full.
        ("http", {"url": "http://127.0.0.1/"}, TIMEOUT, Silence.PROCESS),
        ("http", {"url": "http://10.0.0.5/"}, bad(Kind.STATUS, "x", code=500), None),
        ("http", {"url": "http://10.0.0.5/"}, bad(Kind.VANTAGE, "x", status=Status.UNKNOWN), None),
        # NXDOMAIN is what a resolver says.
        ("dns", {"query": "shop.example", "record": "A"}, bad(Kind.DNS, "NXDOMAIN"), None),
        ("mqtt", {"host": "h", "topic": "t"}, bad(Kind.TIMEOUT, "no message", phases=CONNECTED, subscribed=True), None),
        ("host", {"metric": "disk", "path": "/", "crit_percent": 90}, bad(Kind.TIMEOUT, "x"), None),
    ],
)
def test_silence_is_told_by_how_far_the_probe_came(
    kind: str, keys: dict[str, Any], outcome: Outcome, wanted: Silence | None
) -> None:
    assert silence_of(outcome, target_of(check_of(kind, "x", **keys))) is wanted


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1", "0.0.0.0"]
)
def test_this_machine_has_many_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "10.0.0.1", "localhost.example.com", "127.example.com", "::2", "xlocalhost"])
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not is_loopback(host)


def test_localhost_and_its_addresses_are_one_host() -> None:
    others = [
        (web(f"on {host}", f"http://{host}:81/"), bad(Kind.STATUS, "x", code=500))
        for host in ("localhost", "127.0.0.1", "[::1]")
    ]
    known = seen(REFUSAL, web("shop website", "https://localhost:9443/"), *others)
    assert [one.same_host for one in known.neighbours] == [True, True, True]


def crowd(count: int, outcome: Outcome, url: str = "http://10.9.{}.{}:80/") -> list[tuple[CheckBase, Outcome]]:
    return [(web(f"web {i:03}", url.format(i // 250, i % 250), group="Web"), outcome) for i in range(1, count + 1)]


def test_a_refusal_here_is_the_process_and_says_nothing_of_the_network() -> None:
    site = web("shop website", "https://localhost:9443/")
    for others in (crowd(20, TIMEOUT), [*crowd(5, REFUSAL, "http://127.0.{}.{}:9443/"), *crowd(4, REFUSAL)]):
        known = seen(REFUSAL, site, *others)
        text = explain(known)
        assert cause(known).startswith("Nothing accepts connections at `localhost:9443`")
        assert "network or the resolver of" not in text
        assert "1.1.1.1" not in text
        assert "Taken by itself" not in text
        assert first_command(known).startswith("nc -vz -w 5 localhost 9443")


def test_loopback_is_no_evidence_of_the_network_for_others_either() -> None:
    unseen = bad(Kind.VANTAGE, "Greenwall cannot see", status=Status.UNKNOWN)
    for outcome in (TIMEOUT, unseen):
        known = seen(TIMEOUT, web("far", "http://10.1.0.1/"), *crowd(9, outcome, "http://127.0.{}.{}/"))
        assert "machine that Greenwall runs on" not in explain(known)
    assert "machine that Greenwall runs on" in explain(seen(TIMEOUT, web("far", "http://10.1.0.1/"), *crowd(9, unseen)))


def test_refusals_of_many_hosts_are_no_evidence_of_the_network() -> None:
    known = seen(FAR_REFUSAL, web("far", "http://10.1.0.1/"), *crowd(9, FAR_REFUSAL))
    assert "machine that Greenwall runs on" not in explain(known)


def test_hosts_that_give_no_sign_of_life_together_are_evidence_of_the_network() -> None:
    known = seen(TIMEOUT, web("far", "http://10.1.0.1/"), *crowd(9, NO_ROUTE))
    assert cause(known).startswith("The network or the resolver of the machine that Greenwall runs on")
    one_host = [(web(f"b{i}", f"http://10.2.0.1:{i}/"), TIMEOUT) for i in range(81, 90)]
    assert "machine that Greenwall runs on" not in explain(seen(TIMEOUT, web("far", "http://10.1.0.1/"), *one_host))


def test_a_list_that_is_cut_says_how_many_are_left() -> None:
    known = seen(TIMEOUT, web("far", "http://10.1.0.1/"), *crowd(293, TIMEOUT))
    text = explain(known)
    assert "`web 001` (timeout), `web 002` (timeout), `web 003` (timeout), `web 004` (timeout) and 289 more" in text
    facts = known.as_text(same)
    assert "Other checks that are or were not OK: 293:" in facts
    assert "; and 287 more." in facts


def test_a_host_whose_ports_give_no_sign_of_life_is_looked_at_as_a_whole() -> None:
    other = (web("b", "http://10.0.0.5:81/"), TIMEOUT)
    known = seen(TIMEOUT, web("a", "http://10.0.0.5:80/"), other)
    assert cause(known).startswith("One cause behind `10.0.0.5`")
    assert first_command(known).startswith("ping -c 3 10.0.0.5\n   ssh 10.0.0.5 ")


@pytest.mark.parametrize("outcome", [HUNG, REFUSAL], ids=["hung", "refused"])
def test_a_process_is_shared_at_one_port_only(outcome: Outcome) -> None:
    site = web("a", "http://localhost:8000/a")
    same_port = explain(seen(outcome, site, (web("b", "http://127.0.0.1:8000/b"), outcome)))
    other_port = explain(seen(outcome, site, (web("b", "http://127.0.0.1:8001/b"), outcome)))
    assert "they ask the same process" in same_port
    assert "they ask the same process" not in other_port
    for text in (same_port, other_port):
        assert "`b` (" in text
        assert "Taken by itself" not in text
        assert "localhost:8000" in text.split("### Most likely cause\n")[1].split("\n### ")[0]


@pytest.mark.parametrize(("first", "second"), [(HUNG, REFUSAL), (REFUSAL, HUNG), (TIMEOUT, REFUSAL)])
def test_silences_of_another_kind_are_not_put_together(first: Outcome, second: Outcome) -> None:
    text = explain(seen(first, web("a", "http://10.0.0.5:8000/a"), (web("b", "http://10.0.0.5:8000/b"), second)))
    assert "`b` (" not in text


def test_what_a_group_may_share_comes_after_its_own_cause() -> None:
    known = seen(HUNG, web("a", "http://10.0.0.5/"), (web("b", "http://10.0.0.6/"), HUNG))
    said = cause(known)
    assert said.startswith("The process at `10.0.0.5:80` accepts connections and does not answer")
    assert said.index("Something that the group shares") > 0
    assert "Compare what they have in common" not in explain(known)


def test_hosts_that_answer_meanwhile_prove_the_network() -> None:
    subject, others = web("far", "http://10.1.0.1/"), crowd(4, TIMEOUT)
    well = {f"ok {i}": web(f"ok {i}", f"http://10.8.0.{i}/") for i in range(1, 21)}
    results = course(*[ok()] * 20, *[TIMEOUT] * 5, name="far")
    near = [Result(results[20].at, one.name, its) for one, its in others]
    checks = {"far": subject} | {one.name: one for one, _ in others} | well
    answering = {name: CheckState(Status.OK, since=results[0].at, checked_at=NOW, streak=25) for name in well}
    before = {name: replace(state, checked_at=results[19].at) for name, state in answering.items()}
    for states, holds in ((answering, False), (before, True), ({}, True)):
        known = gather(
            "far", NOW, results, near, state_after(results), (), subject, 3600.0, checks=checks, states=states
        )
        assert ("machine that Greenwall runs on" in explain(known)) is holds


def test_a_machine_that_was_at_its_limit_and_is_no_more_is_no_cause() -> None:
    here = web("a", "http://127.0.0.1:8000/")
    results = course(*[ok()] * 20, *[HUNG] * 5, name="a")
    near = [Result(results[20].at, "disk", FULL)]
    mended = CheckState(Status.OK, since=results[22].at, checked_at=NOW, streak=3)
    for states, holds in (({"disk": mended}, False), ({}, True)):
        known = gather(
            "a", NOW, results, near, state_after(results), (), here, 3600.0, checks={"disk": DISK}, states=states
        )
        text = explain(known)
        assert ("at its limit" in text) is holds
        assert (", OK now" in known.as_text(same)) is not holds
        assert not first_command(known).startswith("uptime; df -h; free -h")


def test_a_machine_that_is_only_near_its_limit_is_no_cause() -> None:
    warned = replace(FULL, status=Status.WARN)
    assert "at its limit" not in explain(seen(HUNG, web("a", "http://127.0.0.1:8000/"), (DISK, warned)))


def test_what_the_own_cause_stands_on_comes_before_the_hints() -> None:
    text = explain(seen(HUNG, web("a", "http://localhost:8000/"), (web("b", "http://127.0.0.1:8001/"), HUNG)))
    why = text.split("### Why we think so\n")[1]
    assert why.index("No full answer within 10 s") < why.index("other ports of the same host")


def test_a_peer_that_has_spoken_is_at_the_right_address() -> None:
    check = check_of("smtp", "mail", host="127.0.0.1", port=9025)
    hung = bad(Kind.TIMEOUT, "no answer to AUTH within 4 s; the server had said 250 SIZE", phases=CONNECTED)
    assert "The check itself, rather than an outage" not in explain(
        evidence(course(*[hung] * 20, name="mail"), check=check)
    )


def test_nobody_looks_for_lost_packets_on_this_machine() -> None:
    assert "mtr" not in explain(seen(HUNG, web("a", "http://localhost:8000/")))
    assert "mtr" in explain(seen(HUNG, web("a", "http://10.0.0.5/")))


def test_what_greenwall_noted_by_itself_is_no_advice() -> None:
    removed = AlertEvent(
        NOW - timedelta(minutes=1900), What.RESOLVED, "a-1", by="configuration", note="the check was removed"
    )
    text = explain(evidence(course(*[ok()] * 9, bad()), alerts=alerts_of(opened(2000), removed)))
    assert "somebody noted" not in text
    assert "It had 1 alert before" in text


def test_what_was_left_out_is_told_by_name_also_when_secrets_are_taken_out() -> None:
    check = check_of("smtp", "mail", host="h", port=25, starttls="required", username="u", password="pw123456")
    redact = Environment({"SMTP_PASSWORD": "pw123456"}).redactor()
    (text,) = list(diagnose(seen(HUNG, check), DiagnosisBlock(), Environment({}), threading.Event()))
    assert "user name and password" in text.text
    assert "***" not in redact(text.text)


# The last step that was reached


@pytest.mark.parametrize(
    ("message", "cause_of_it"),
    [
        ("no answer to AUTH within 4 s", "checks passwords"),
        ("no answer to EHLO within 4 s", "greets and then does not answer"),
        ("connected, but no greeting within 4 s", "accepts connections and does not greet"),
        ("connected, but no answer within 4 s", "does not answer"),
    ],
)
def test_a_mail_server_that_falls_silent_is_told_by_the_step_that_it_reached(message: str, cause_of_it: str) -> None:
    check = check_of("smtp", "mail", host="127.0.0.1", port=9025)
    text = explain(seen(bad(Kind.TIMEOUT, message, phases=CONNECTED), check))
    assert "then nothing" not in text
    assert f"`{message}`" in text
    assert cause_of_it in text


def test_what_came_after_the_connection_is_said() -> None:
    secured = bad(Kind.TIMEOUT, "no answer", phases=CONNECTED | {"tls": 9.0})
    assert "connected in 0.2 ms, TLS handshake in 9 ms, then nothing" in explain(seen(secured, web("a", "https://h/")))
    assert "connected in 0.2 ms, then nothing" in explain(seen(HUNG, web("a", "http://h/")))
    redis = explain(seen(bad(Kind.TIMEOUT, "no answer to PING", phases=CONNECTED), REDIS))
    assert "connected in 0.2 ms, then: `no answer to PING`" in redis


@pytest.mark.parametrize(
    ("message", "code", "wanted"),
    [
        ("the reply to AUTH is 535 no, expected 235", 535, "the password was changed, or the account is locked"),
        ("the server offers no login by PLAIN or LOGIN (offered: none)", None, "offers no login by PLAIN or LOGIN"),
    ],
)
def test_a_refused_mail_login_and_one_that_is_not_offered_are_told_apart(
    message: str, code: int | None, wanted: str
) -> None:
    check = check_of("smtp", "mail", host="127.0.0.1", port=9025)
    assert wanted in cause(seen(bad(Kind.AUTH, message, code=code), check))


# Times


def test_all_times_are_in_the_zone_that_is_configured() -> None:
    check = check_of("heartbeat", "backup", key="k" * 20, period="30s", grace="10s")
    missed = bad(Kind.DEADLINE, "no success", last_success_at="2026-11-21T14:12:00.000Z")
    known = seen(missed, check, (web("b", "http://h/"), bad(Kind.STATUS, code=500)), timezone="Europe/Berlin")
    text = explain(known) + known.as_text(same)
    assert "the trouble began at 2026-11-21 15:13:00 CET" in text
    assert "since 2026-11-21 15:13:00 CET" in text
    assert "15:13:00 OK to FAIL (CET)" in text
    assert "Its last success came at `2026-11-21 15:12:00 CET`" in text
    assert 'last_success_at "2026-11-21 15:12:00 CET"' in text
    assert "14:1" not in text


def test_journalctl_knows_no_zone_but_utc_so_the_text_beside_it_has_ours() -> None:
    text = explain(seen(HUNG, web("a", "http://h/"), timezone="Asia/Kolkata"))
    assert "from 5 minutes before the trouble (2026-11-21 19:38:00 IST)" in text
    assert "journalctl --since '2026-11-21 14:08:00 UTC'" in text


def test_the_day_of_a_deployment_is_that_of_the_zone() -> None:
    text = explain(seen(bad(Kind.CONTENT, code=200), web("a", "http://h/"), timezone="Pacific/Auckland"))
    assert "git log --since 2026-11-21 --oneline" in text


def test_a_missed_deadline_counts_from_the_deadline() -> None:
    """The alert opens a look later; the trouble began when the ping was due."""
    check = check_of("heartbeat", "backup", key="k" * 20, period="30s", grace="10s")
    due = NOW - timedelta(seconds=128)
    results = course(*[ok()] * 20, *[bad(Kind.DEADLINE, "no success")] * 5, name="backup")
    state = CheckState(Status.FAIL, since=due, checked_at=NOW, streak=5, kind=Kind.DEADLINE, message="no success")
    text = explain(gather("backup", NOW, results, (), state, (), check, 3600.0))
    assert "the trouble began at 2026-11-21 14:12:52 UTC, 2 m 8 s ago" in text


def test_the_zone_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text(
        "global: {timezone: Europe/Berlin}\nchecks:\n- {name: a, type: tcp, host: h, port: 1}\n", "utf-8"
    )
    views = Views(Place(tmp_path / "checks.yaml", tmp_path / "data"))
    assert views.evidence("a", 3600.0).timezone == "Europe/Berlin"
