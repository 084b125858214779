"""What a diagnosis says of each kind of check: its target, its failures, its parents, members and differences."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest
import yaml

from monitor.config import CHECK_MODELS, CheckBase
from monitor.config.fields import WebUrl
from monitor.diagnosis import Evidence, explain, gather
from monitor.diagnosis.advice import OF_TYPE
from monitor.diagnosis.neighbours import Tie
from monitor.diagnosis.neutral import neutralise
from monitor.diagnosis.target import LOOKS, target_of
from monitor.model import Finding, Json, Kind, Outcome, Result, Status
from monitor.state import CheckState
from tests.test_diagnosis import NOW, bad, course, ok, same, state_after


@pytest.fixture(autouse=True)
def some_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands name the Python that runs Greenwall; here it is one that is not below this folder."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")


def check_of(kind: str, **more: Any) -> CheckBase:
    """Return the example of a kind with these keys; `...` leaves one out."""
    (example,) = yaml.safe_load(CHECK_MODELS[kind].example)
    return CHECK_MODELS[kind].model_validate({key: v for key, v in (example | more).items() if v is not ...})


def seen(
    outcome: Outcome,
    check: CheckBase,
    *,
    good: Outcome | None = None,
    checks: Sequence[CheckBase] = (),
    states: Mapping[str, CheckState] | None = None,
    neighbours: Sequence[Result] = (),
) -> Evidence:
    """The evidence when the check was good and then failed five times like this."""
    results = course(*[good or ok()] * 20, *[outcome] * 5, name=check.name)
    known = {one.name: one for one in (check, *checks)}
    state = state_after(results)
    return gather(check.name, NOW, results, neighbours, state, (), check, 3600.0, checks=known, states=states)


def answer(outcome: Outcome, check: CheckBase) -> str:
    return explain(seen(outcome, check))


def commands(text: str) -> list[str]:
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]


# Targets


def test_every_type_of_check_can_say_what_it_looks_at() -> None:
    assert LOOKS.keys() == CHECK_MODELS.keys()


@pytest.mark.parametrize("kind", CHECK_MODELS)
def test_a_target_is_a_sentence_and_has_what_its_check_has(kind: str) -> None:
    check = check_of(kind)
    target = target_of(check)
    assert target.does and target.what
    assert target.expected
    if hasattr(check, "host"):
        assert target.host == check.host
    url = getattr(check, "url", None) or getattr(check, "status_url", None)
    if isinstance(url, str) and url.startswith("http"):
        assert target.url.startswith("http") and target.port


@pytest.mark.parametrize(
    ("kind", "more", "does", "where", "expects"),
    [
        ("dns", {}, "looks up shop.example A @127.0.0.53", ("127.0.0.53", 53), "only of 10.0.0.80, 10.0.0.81"),
        ("dns", {"resolver": "10.0.0.1:5353"}, "looks up", ("10.0.0.1", 5353), "at least 1 answer"),
        ("tls", {}, "makes a TLS handshake with shop.example:443", ("shop.example", 443), "fewer than 7 days"),
        ("database", {}, "postgresql://db.example:5432/shop", ("db.example", 5432), "the query SELECT count(*)"),
        ("database", {"max_rows": 1}, "asks the database", ("db.example", 5432), "at most 1 row"),
        ("heartbeat", {}, "waits for pings at 30 2 * * * (Europe/Berlin)", ("", 0), "each at most 20 m late"),
        ("command", {}, "runs /usr/lib/nagios/plugins/check_disk", ("", 0), "exit code 0, by the convention"),
        ("group", {}, "is judged from checks with the tag storefront", ("", 0), "at least 2 members up"),
        ("steps", {}, "walks through the steps login, list, logout", ("shop.example", 443), "list: GET https://shop"),
        ("service", {}, "asks the service anthropic at https://api.anthropic.com", ("api.anthropic.com", 443), "200"),
        (
            "queue",
            {},
            "measures the queue http://queue.example:15672/api/queues/%2F/mail",
            ("queue.example", 15672),
            "",
        ),
        ("redis", {}, "redis://cache.example:6379/0", ("cache.example", 6379), "memory above 95 % is FAIL"),
        ("mqtt", {}, "subscribes at broker.example:8883", ("broker.example", 8883), "a message of plant/line-1/status"),
        ("agents", {}, "reads the registry", ("orchestrator.example", 80), "fewer than 2 agents idle or busy is FAIL"),
        ("docker", {}, "asks for the container shop", ("", 0), "state running"),
        ("systemd", {}, "asks for the unit nginx.service", ("", 0), "state active"),
        ("icmp", {}, "pings 127.0.0.1", ("127.0.0.1", 0), "more than 50 % loss is FAIL"),
        ("host", {}, "measures disk of /", ("", 0), "use above 95 % is FAIL"),
        ("websocket", {}, "opens a WebSocket at wss://shop.example/live", ("shop.example", 443), "contains pong"),
    ],
)
def test_the_evidence_says_what_is_looked_at_and_what_is_expected(
    kind: str, more: dict[str, Any], does: str, where: tuple[str, int], expects: str
) -> None:
    check = check_of(kind, **more)
    target = target_of(check)
    assert (target.host, target.port) == where
    first = seen(bad(), check).as_text(same).splitlines()[0].replace('"', "")
    assert does in first
    assert expects in first.partition("expected: ")[2]


class Oven(CheckBase):
    """A kind that the diagnosis has never heard of."""

    type: Literal["oven"]
    url: WebUrl


def test_a_type_that_is_not_known_is_still_shown_without_its_secrets() -> None:
    oven = Oven(name="oven", type="oven", url="http://me:hunter22@oven.example/heat?key=abc123")
    target = target_of(oven)
    assert (target.what, target.host, target.port) == ("http://oven.example/heat?key=…", "oven.example", 80)
    text = answer(bad(Kind.STATUS, "too hot", code=500), oven)
    assert "http://oven.example/heat" in text
    assert "hunter22" not in text and "abc123" not in text


def test_an_endpoint_that_was_asked_by_hand_is_explained_by_its_url() -> None:
    url = "http://api.example/health"
    result = Result(NOW, url, bad(Kind.STATUS, "status is 404", Finding("status", "200", "404"), code=404))
    known = gather(url, NOW, [result], (), None, (), None, 3600.0)
    assert "is no check of the configuration: it was asked by hand" in known.as_text(same).splitlines()[0]
    assert f"curl -sS -m 10 -D - -o /dev/null {url}" in explain(known)


# Advice: what each kind's failures are told apart by

F = Finding
LOGGED_IN = {"dns": 1.0, "connect": 2.0, "login": 3.0, "query": 9000.0, "total": 9006.0}
CASES: list[tuple[str, dict[str, Any], Outcome, list[str]]] = [
    # dns
    (
        "dns",
        {},
        bad(Kind.DNS, "rcode", F("rcode", "NOERROR", "SERVFAIL")),
        ["dig @127.0.0.53 shop.example A\n", "dig @127.0.0.53 shop.example A +cd", "DNSSEC", "+trace"],
    ),
    (
        "dns",
        {},
        bad(Kind.DNS, "rcode", F("rcode", "NOERROR", "NXDOMAIN")),
        ["whois shop.example", "is not known there"],
    ),
    (
        "dns",
        {"resolver": "10.0.0.1:5353", "record": "mx"},
        bad(Kind.CONTENT, "x", F("MX record", "only of a", "b")),
        ["dig @10.0.0.1 -p 5353 shop.example MX", "+nssearch", "split horizon"],
    ),
    (
        "dns",
        {"query": "10.0.0.7", "record": "PTR", "resolver": None},
        bad(Kind.TIMEOUT, "no answer within 10 s"),
        ["dig -x 10.0.0.7", "/etc/resolv.conf", "+tcp"],
    ),
    ("dns", {}, bad(Kind.CONNECT, "refused"), ["nc -vzu -w 5 127.0.0.53 53", "ss -lunp 'sport = :53'"]),
    # certificates, whatever the kind
    (
        "tls",
        {},
        bad(
            Kind.TLS,
            "end",
            F("end of the certificate", "at least 21 days away", "2026-11-30 00:00 UTC, in 9 days"),
            status=Status.WARN,
        ),
        [
            "ends soon and was not renewed",
            "openssl s_client -connect shop.example:443 -servername shop.example",
            "certbot renew --dry-run",
            "/etc/letsencrypt/live/shop.example/fullchain.pem",
        ],
    ),
    (
        "http",
        {},
        bad(Kind.TLS, "end", F("end of the certificate", "still to come", "2026-11-20 00:00 UTC, 1 day ago")),
        ["has expired", "certbot renew --dry-run"],
    ),
    (
        "smtp",
        {},
        bad(Kind.TLS, "x", F("certificate's host", "mail.example", "other.example")),
        ["is not for `mail.example`", "-starttls smtp", "subjectAltName"],
    ),
    (
        "tcp",
        {"tls": True},
        bad(Kind.TLS, "x", F("certificate's issuer", "a trusted authority", "itself (CN=x)")),
        ["nobody that is trusted here", "fullchain.pem", "-showcerts"],
    ),
    (
        "tls",
        {"fingerprint_change": True},
        bad(Kind.TLS, "x", F("certificate's SHA-256", "a as before", "now b"), status=Status.WARN),
        ["is not the one that is known", "-fingerprint -sha256"],
    ),
    (
        "smtp",
        {},
        bad(Kind.TLS, "the server does not start TLS: it does not offer STARTTLS"),
        ["does not offer TLS within"],
    ),
    # smtp, ssh
    (
        "smtp",
        {},
        bad(Kind.STATUS, "greeting is 554 blocked using a block list, expected 220", code=554),
        ["turns us away", "block list", "-starttls smtp -crlf", "postqueue -p"],
    ),
    (
        "smtp",
        {"starttls": "off", "port": 25},
        bad(Kind.STATUS, "greeting is 421 too busy, expected 220", code=421),
        ["for now", "printf 'EHLO greenwall.example\\r\\nQUIT\\r\\n' | nc -w 10 mail.example 25"],
    ),
    (
        "smtp",
        {"username": "u", "password": "p-a-s-s"},
        bad(Kind.AUTH, "the reply to AUTH is 535 no"),
        ["refuses the login", "doveadm auth test USER"],
    ),
    (
        "ssh",
        {},
        bad(Kind.PROTOCOL, "no SSH identification, but 'Exceeded MaxStartups'"),
        ["holds connections back", "ssh-keyscan -T 5 -p 22 bastion.example", "PerSourcePenaltyExemptList"],
    ),
    # mqtt, grpc, websocket
    (
        "mqtt",
        {},
        bad(Kind.AUTH, "the broker refuses the login: not authorized"),
        [
            "refuses the login",
            "mosquitto_sub -d -v -C 1 -W 10 -h broker.example -p 8883",
            '-u USER -P "$MQTT_PASSWORD"',
        ],
    ),
    ("mqtt", {}, bad(Kind.AUTH, "the broker refuses the subscription"), ["subscription to `plant/line-1/status`"]),
    ("mqtt", {}, bad(Kind.CONNECT, "refused"), ["Nothing accepts connections at `broker.example:8883`", "nc -vz"]),
    (
        "mqtt",
        {},
        bad(Kind.TIMEOUT, "subscribed, but no message within 10 s", subscribed=True),
        ["no message came for `plant/line-1/status`", "-t '#'"],
    ),
    (
        "grpc",
        {},
        bad(Kind.UNCONFIGURED, "grpc checks need more packages", status=Status.UNKNOWN),
        ["pip install -r requirements-extra.txt"],
    ),
    (
        "grpc",
        {},
        bad(Kind.STATUS, "x", F("health of shop.Orders", "SERVING", "NOT_SERVING"), health="NOT_SERVING"),
        ["says itself that it is not serving", "grpc_health_probe -addr=orders.example:443 -service=shop.Orders -tls"],
    ),
    (
        "grpc",
        {},
        bad(Kind.PROTOCOL, "the server has no health service", grpc_status="UNIMPLEMENTED"),
        ["has no health service", "grpcurl -max-time 10 orders.example:443 list"],
    ),
    (
        "websocket",
        {},
        bad(Kind.STATUS, "status is 502, expected 101", status_code=502),
        ["does not pass the upgrade on", "-H 'Upgrade: websocket'", "https://shop.example/live", "nginx -T"],
    ),
    (
        "websocket",
        {},
        bad(Kind.STATUS, "the server closed the WebSocket before such a message: 1011", close_code=1011),
        ["then closes it", "python -m websockets wss://shop.example/live"],
    ),
    # udp, icmp
    ("udp", {}, bad(Kind.TIMEOUT, "no answer within 10 s"), ["UDP does not tell which", "tcpdump", "27015"]),
    (
        "icmp",
        {"host": "gw.example"},
        bad(Kind.TIMEOUT, "x", F("loss", "at most 50 %", "60 %"), address="10.0.0.1"),
        ["are lost", "mtr -rwc 20 gw.example", "ip route get 10.0.0.1"],
    ),
    (
        "icmp",
        {},
        bad(Kind.UNCONFIGURED, "pings are not permitted here", status=Status.UNKNOWN),
        ['sysctl -w net.ipv4.ping_group_range="0 2147483647"', "/etc/sysctl.d/"],
    ),
    # databases
    (
        "database",
        {},
        bad(Kind.AUTH, "password authentication failed for user", error="28P01"),
        ["refuses the login", "pg_hba_file_rules", "rolvaliduntil", "journalctl -n 50 --no-pager -u 'postgresql*'"],
    ),
    (
        "database",
        {},
        bad(Kind.RESOURCE, "sorry, too many clients already", error="53300"),
        ["used up", "pg_stat_activity", "idle in transaction", "SHOW max_connections"],
    ),
    (
        "database",
        {"max_lag": "30s"},
        bad(Kind.RESOURCE, "x", F("replication lag", "at most 30 s", "5 m")),
        ["is behind its primary", "pg_last_xact_replay_timestamp", "pg_stat_replication"],
    ),
    (
        "database",
        {},
        bad(Kind.TIMEOUT, "canceling statement due to lock timeout", phases=LOGGED_IN, version="16.3"),
        ["waits for a lock", "pg_blocking_pids", "EXPLAIN SELECT count(*)", "default_transaction_read_only=on"],
    ),
    (
        "database",
        {},
        bad(Kind.TIMEOUT, "no connection", phases={"dns": 1.0}),
        ["Packets to `db.example:5432`", "mtr -rwc"],
    ),
    (
        "database",
        {"url": "mysql://m:secret@db.example/shop", "query": "SELECT 1", "expect": ()},
        bad(Kind.RESOURCE, "Too many connections", error="1040"),
        ["mysql -h db.example -P 3306 -u USER -p", "information_schema.processlist", "max%connections"],
    ),
    (
        "database",
        {"url": "sqlite:////var/lib/shop/shop.db", "crit_connections_percent": None},
        bad(Kind.TIMEOUT, "database is locked"),
        ["is locked by another program", "fuser -v /var/lib/shop/shop.db", "sqlite3 -readonly /var/lib/shop/shop.db"],
    ),
    (
        "database",
        {"url": "sqlite:///shop.db", "crit_connections_percent": None},
        bad(Kind.CONNECT, "no such file"),
        ["There is no database at `shop.db`", "never creates one"],
    ),
    (
        "database",
        {},
        bad(Kind.STATUS, 'relation "orders" does not exist', error="42P01"),
        ["renamed or dropped", "`42P01`"],
    ),
    (
        "database",
        {},
        bad(Kind.CONTENT, "x", F("waiting", "< 1000", "5000")),
        ["business, not plumbing", "FROM orders WHERE state ="],
    ),
    (
        "database",
        {},
        bad(Kind.SLOW, "x", F("latency", "at most 1 s", "9 s"), ms=9006.0, phases=LOGGED_IN),
        ["lacks an index"],
    ),
    (
        "database",
        {"url": "postgresql://m@/shop?host=/run/postgresql"},
        bad(Kind.CONNECT, "no connection"),
        ["socket `/run/postgresql`", "ss -lxp"],
    ),
    # redis
    (
        "redis",
        {},
        bad(Kind.RESOURCE, "x", F("memory used", "at most 95 %", "97 % of maxmemory"), evicted_keys=12),
        [
            "CONFIG GET 'maxmemory*'",
            "--bigkeys",
            "throws keys out already",
            "redis-cli -h cache.example -p 6379 --askpass",
        ],
    ),
    ("redis", {}, bad(Kind.RESOURCE, "ERR max number of clients reached"), ["too many clients", "CLIENT LIST"]),
    ("redis", {}, bad(Kind.AUTH, "WRONGPASS invalid"), ["refuses the login", "ACL LOG 10"]),
    ("redis", {}, bad(Kind.STATUS, "LOADING Redis is loading"), ["loads its data", "INFO persistence"]),
    (
        "redis",
        {},
        bad(Kind.STATUS, "x", F("link to the master", "up", "down since 5 m")),
        ["INFO replication", "failover"],
    ),
    (
        "redis",
        {"url": "rediss://:secret@cache.example:6380/2"},
        bad(Kind.CONTENT, "x", F("key jobs", "at most 1000 entries", "5000 entries")),
        ["redis-cli -h cache.example -p 6380 -n 2 --tls --askpass TYPE jobs"],
    ),
    # queues
    (
        "queue",
        {},
        bad(Kind.RESOURCE, "x", F("depth", "at most 10000", "12000"), depth=12000, consumers=0, messages_ready=12000),
        ["Nobody takes from `mail`", "rabbitmqctl list_queues -p /", "pgrep -af worker", "start the workers"],
    ),
    (
        "queue",
        {},
        bad(
            Kind.RESOURCE,
            "x",
            F("depth", "at most 10000", "12000"),
            consumers=2,
            messages_ready=0,
            messages_unacknowledged=12000,
        ),
        ["is in the hands of its workers"],
    ),
    (
        "queue",
        {"url": "redis://cache.example", "queue": None, "stream": "jobs", "consumer_group": "workers"},
        bad(Kind.RESOURCE, "x", F("depth", "at most 10000", "12000"), consumers=3, pending=4, lag=12000),
        ["`jobs`", "3 consumers", "XINFO CONSUMERS jobs workers", "XPENDING jobs workers"],
    ),
    ("queue", {}, bad(Kind.STATUS, "x", F("consumers", "at least 1", "0"), consumers=0), ["Too few consumers"]),
    (
        "queue",
        {},
        bad(Kind.AUTH, "RabbitMQ refused the login: status 401"),
        ["`guest`", "rabbitmqctl list_users", "-u USER"],
    ),
    ("queue", {}, bad(Kind.CONTENT, "no such queue: 'mail' in vhost '/'"), ["is not there", "list_queues"]),
    # heartbeats
    (
        "heartbeat",
        {},
        bad(
            Kind.DEADLINE, "no success since 02:31", F("success", "by 02:30", "missing, 31 m late"), last_success_at="T"
        ),
        [
            "did not tell in time",
            "30 2 * * * COMMAND && curl -fsS -m 10 --retry 5 -o /dev/null ADDRESS/ping/KEY",
            "CRON_TZ=Europe/Berlin",
            "ADDRESS/ping/KEY/log",
            "crontab -l",
        ],
    ),
    (
        "heartbeat",
        {},
        bad(Kind.DEADLINE, "the run has not ended", F("run", "ended within 2 h", "not ended after 3 h")),
        ["did not tell that it ended", "ps -eo pid,etime", "max_run"],
    ),
    (
        "heartbeat",
        {},
        bad(Kind.STATUS, "x", F("end of the run", "exit status 0", "exit status 3"), exit_status=3, body="disk full"),
        ["says that it failed with exit status `3`", "`disk full`", "env -i"],
    ),
    (
        "heartbeat",
        {},
        bad(Kind.UNCONFIGURED, "no ping has come yet", status=Status.UNKNOWN),
        ["never pinged", "COMMAND &&"],
    ),
    # docker, systemd, command
    (
        "docker",
        {},
        bad(
            Kind.STATUS,
            "x",
            F("health of container shop", "healthy", "unhealthy, 5 times in a row"),
            health="unhealthy",
        ),
        ["docker inspect --format '{{json .State.Health}}' shop", "docker logs --tail 50 --timestamps shop"],
    ),
    (
        "docker",
        {"socket": "/run/podman/podman.sock"},
        bad(Kind.STATUS, "x", F("container shop", "running", "exited (exit code 137)"), state="exited", exit_code=137),
        ["podman --url unix:///run/podman/podman.sock logs", "SIGKILL", "out of memory"],
    ),
    ("docker", {}, bad(Kind.CONTENT, "no container shop"), ["There is no container `shop`", "docker ps -a"]),
    (
        "docker",
        {},
        bad(Kind.CONNECT, "nothing listens at /var/run/docker.sock"),
        ["systemctl status --no-pager docker"],
    ),
    (
        "docker",
        {},
        bad(Kind.UNCONFIGURED, "no permission", status=Status.UNKNOWN),
        ["usermod -aG docker USER", "as good as root"],
    ),
    (
        "systemd",
        {},
        bad(Kind.STATUS, "x", F("nginx.service", "active", "failed"), state="failed", result="oom-kill"),
        [
            "killed it for want of memory",
            "systemctl status --no-pager --full -- nginx.service",
            "journalctl -u nginx.service -n 50",
        ],
    ),
    (
        "systemd",
        {"user": True},
        bad(Kind.CONTENT, "x", F("nginx.service", "active", "not there (not-found)")),
        ["systemctl --user cat --no-pager -- nginx.service"],
    ),
    ("systemd", {}, bad(Kind.RESOURCE, "x", status=Status.WARN), ["systemd started it again", "coredumpctl list"]),
    (
        "command",
        {},
        bad(Kind.CONTENT, "DISK CRITICAL - free space: / 3%", exit_code=2),
        ["`DISK CRITICAL - free space: / 3%`", "sudo -u USER env -i", "check_disk ARGUMENTS", "check_disk --help"],
    ),
    (
        "command",
        {"command": ["/opt/pay.sh"], "convention": "exit", "cwd": "/opt/my jobs"},
        bad(Kind.STATUS, "exit code is 7", F("exit code", "0", "7")),
        ["cd '/opt/my jobs' && sudo -u USER", "/opt/pay.sh; echo"],
    ),
    (
        "command",
        {},
        bad(Kind.UNCONFIGURED, "set `allow_commands: true` under `global:`", status=Status.UNKNOWN),
        ["allow_commands: true", "ls -l checks.yaml"],
    ),
    (
        "command",
        {},
        bad(Kind.TIMEOUT, "check_disk did not end within 10 s"),
        ["pgrep -af -- check_disk", "raise `timeout`"],
    ),
    # host
    ("host", {}, bad(Kind.TIMEOUT, "the file system of / did not answer"), ["timeout 5 stat -f /", "state D"]),
    (
        "host",
        {"metric": "process", "process": "nginx", "crit_percent": ...},
        bad(Kind.CONTENT, "x", F("number of processes 'nginx'", "at least 1", "0")),
        ["pgrep -af -- nginx"],
    ),
    (
        "host",
        {"path": "/srv/data"},
        bad(Kind.CONTENT, "there is no /srv/data", F("/srv/data", "to be there", "missing")),
        ["is not mounted", "findmnt /srv/data", "/etc/fstab"],
    ),
    # agents, services, steps
    (
        "agents",
        {},
        bad(
            Kind.STATUS,
            "x",
            F("number of agents in error", "at most 0", "2"),
            error=2,
            idle=1,
            busy=0,
            error_agents="a, b",
        ),
        ["error: `a, b`", "`1` idle and `0` busy are left", "curl -sS -m 10 -i http://orchestrator.example/agents"],
    ),
    (
        "agents",
        {"url": None, "file": "agents.json"},
        bad(Kind.CONTENT, "x", F("registry", "one of agents", "without agents")),
        ["cannot be read as one", "head -c 4000 agents.json", "agents_path"],
    ),
    ("agents", {}, bad(Kind.RESOURCE, "x", F("queue depth", "at most 50", "80"), busy=3, idle=0), ["None is idle"]),
    ("agents", {}, bad(Kind.STATUS, "x", F("status", "200 to 299", "503"), code=503), ["not available"]),
    (
        "service",
        {},
        bad(Kind.STATUS, "anthropic: status is 529", F("status", "200", "529 (overloaded_error)"), code=529),
        ["a failure of its own", "`https://status.anthropic.com`"],
    ),
    (
        "service",
        {"service": "openai"},
        bad(Kind.AUTH, "x", F("status", "200", "401"), code=401),
        ["does not take our key", "`OPENAI_API_KEY`", "`https://status.openai.com`"],
    ),
    (
        "service",
        {"service": "stripe"},
        bad(Kind.RESOURCE, "x", F("status", "200", "429"), code=429, retry_after="30", status=Status.WARN),
        ["asked too often", "`30`", "raise `every`"],
    ),
    ("service", {}, bad(Kind.TIMEOUT, "no answer", phases={"dns": 1.0}), ["1. See what `anthropic` says of itself"]),
    ("service", {}, bad(Kind.UNCONFIGURED, "no key for anthropic", status=Status.UNKNOWN), ["`ANTHROPIC_API_KEY`"]),
    (
        "service",
        {"url": "https://proxy.example/llm"},
        bad(Kind.STATUS, "x", F("status", "200", "502"), code=502),
        ["https://proxy.example/llm"],
    ),
    (
        "steps",
        {},
        bad(
            Kind.STATUS,
            "step 'list': status is 500",
            F("step 'list': status", "200 to 299", "500"),
            code=500,
            steps={"login": {"status": "OK"}, "list": {"status": "FAIL"}},
        ),
        ["It ended at step 2 of 3, `list`", "curl -sS -m 20 -i https://shop.example/api/orders", "raises an error"],
    ),
    (
        "steps",
        {},
        bad(Kind.TLS, "step 'login': end", F("step 'login': end of the certificate", "still to come", "x, 1 day ago")),
        ["step 1 of 3, `login`", "has expired"],
    ),
]


@pytest.mark.parametrize(
    ("kind", "more", "outcome", "wanted"), CASES, ids=[f"{k}-{o.kind}-{i}" for i, (k, _, o, _) in enumerate(CASES)]
)
def test_the_advice_is_that_of_the_kind_of_check(
    kind: str, more: dict[str, Any], outcome: Outcome, wanted: list[str]
) -> None:
    text = answer(outcome, check_of(kind, **more))
    assert [part for part in wanted if part not in text] == []


def test_every_row_of_advice_has_a_case_or_is_one_of_all_kinds() -> None:
    unknown = {kind for kind in OF_TYPE if kind not in CHECK_MODELS}
    assert unknown == set()
    assert {kind for kind in OF_TYPE if kind not in ("job", "group")} <= {kind for kind, *_ in CASES}


def test_what_a_steps_check_orders_is_not_ordered_by_hand() -> None:
    figures = {"login": {"status": "FAIL"}}
    text = answer(
        bad(Kind.STATUS, "x", F("step 'login': status", "200", "500"), code=500, steps=figures), check_of("steps")
    )
    assert "-X OPTIONS -i https://shop.example/api/login" in text
    assert "-X POST" not in text


# What holds of every kind of check and every kind of failure

NAMES = (
    "address", "status", "server", "rcode", "error", "version", "role", "consumers", "pending", "lag", "messages_ready",
    "messages_unacknowledged", "health", "grpc_status", "close_code", "refusal", "job_id", "job_state", "top", "result",
    "state", "exit_code", "exit_status", "body", "last_success_at", "error_agents", "offline_agents", "idle", "busy",
    "error", "retry_after", "steps", "connections", "max_connections", "evicted_keys", "subscribed", "answers", "seen",
)  # fmt: skip
NASTY = "`](http://evil) $(reboot) ![x](y) <script> '; reboot #"


def cases_of(kind: str, said: str, value: Json) -> list[Outcome]:
    """One outcome of each kind of failure, with findings and without, this text wherever a target can put one."""
    own = {str(outcome.kind): outcome.findings for name, _, outcome, _ in CASES if name == kind}
    outcomes = []
    for failure in Kind:
        status = Status.UNKNOWN if failure in (Kind.UNCONFIGURED, Kind.INTERNAL, Kind.VANTAGE) else Status.FAIL
        found = [replace(one, got=said) for one in own.get(str(failure), ())] or [Finding(said, said, said)]
        observed = dict.fromkeys(NAMES, value)
        outcomes += [
            Outcome(status, failure, said, 9.0, LOGGED_IN, 500, tuple(found), observed),
            Outcome(status, failure, said, observed=observed),
            Outcome(status, failure, said),
        ]
    return outcomes


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in CHECK_MODELS),
    *{str((kind, more)): (kind, more) for kind, more, _, _ in CASES if more}.values(),
    ("database", {"url": ""}),
    ("redis", {"url": ""}),
    ("redis", {"url": "unix:///run/redis.sock?db=3"}),
    ("queue", {"url": ""}),
    ("host", {"metric": "memory"}),
    ("tcp", {"host": "::1"}),
]


@pytest.mark.parametrize(("kind", "more"), VARIANTS, ids=[f"{kind}-{i}" for i, (kind, _) in enumerate(VARIANTS)])
def test_every_answer_is_whole_and_its_commands_are_commands(kind: str, more: dict[str, Any]) -> None:
    check, script = check_of(kind, **more), []
    for outcome in [*cases_of(kind, NASTY, NASTY), *cases_of(kind, "it is so", 3)]:
        evidence = seen(outcome, check)
        text = explain(evidence)
        lines = evidence.as_text(same).splitlines()
        known = {line.split(":")[0] for line in lines}
        cited = {word for group in re.findall(r"\((E\d+(?:, E\d+)*)\)", text) for word in group.split(", ")}
        assert cited and cited <= known
        assert all(line.count('"') % 2 == 0 for line in lines)
        # Outside of code, and of single quotes in commands, nothing of what a target says stands.
        outside = re.sub(r"`[^`]*`", "x", "".join(text.split("```")[::2]))
        assert "None" not in text and "(empty)" not in text
        assert not re.search(r"\w \.(\s|$)|\w\.\.|\w  \w", outside)
        assert "reboot" not in outside and "script>" not in outside
        own = commands(text)
        script += own
        assert all("reboot" not in re.sub(r"'[^']*'|\\'|\"'\"", "", command) for command in own)
        # A page takes apart what could load something; commands have nothing of the kind in them.
        if "reboot" not in "".join(own):
            assert commands(neutralise(text)) == own
        if not target_of(check).url and kind != "heartbeat":
            assert not re.search(r"\bcurl\b", text)
        assert not re.search(r"\bURL\b(?! of the check)", "\n".join(own))
    assert script
    checked = subprocess.run(["bash", "-n"], input="\n".join(script), capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("kind", CHECK_MODELS)
def test_a_check_without_verdicts_is_told_how_to_ask_by_hand(kind: str) -> None:
    check = check_of(kind)
    text = explain(gather(check.name, NOW, (), (), None, (), check, 3600.0))
    assert "### Nothing is known" in text
    assert not re.search(r"\bURL\b", "\n".join(commands(text)))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("dns", "for i in $(seq 20); do dig @127.0.0.53 shop.example A; sleep 1; done"),
        ("icmp", "ping -c 20 127.0.0.1"),
        ("redis", "redis-cli -h cache.example -p 6379 --askpass -r 20 -i 1 PING"),
        ("tls", "openssl x509 -noout -serial -enddate; sleep 1; done"),
        ("websocket", ""),
        ("command", ""),
        ("heartbeat", ""),
    ],
)
def test_what_flaps_is_asked_again_and_again_where_that_is_harmless(kind: str, wanted: str) -> None:
    check = check_of(kind)
    results = course(*[ok(), bad(Kind.STATUS)] * 5, name=check.name)
    text = explain(gather(check.name, NOW, results, (), None, (), check, 3600.0))
    assert "It flaps: 9 changes of status" in text
    assert wanted in text
    assert ("Ask twenty times" in text) is bool(wanted)


# Parents


def state(status: Status, minutes_ago: float, kind: Kind | None = None, message: str = "") -> CheckState:
    at = NOW - timedelta(minutes=minutes_ago)
    return CheckState(status, at, NOW, 5, kind=kind, message=message, ticks="O" + status.letter)


API = check_of("http", name="api", depends_on=["db"])
DB = check_of("database", name="db", depends_on=["switch"])
SWITCH = check_of("icmp", name="switch")
REFUSED = bad(Kind.CONNECT, "Connection refused", phases={"dns": 1.0})


def test_a_parent_that_is_down_is_said_first() -> None:
    states = {"db": state(Status.FAIL, 3, Kind.AUTH, "password refused"), "switch": state(Status.OK, 900)}
    near = [Result(NOW - timedelta(minutes=2), name, bad(Kind.CONNECT)) for name in ("db", "other", "third")]
    evidence = seen(REFUSED, API, checks=[DB, SWITCH, check_of("tcp", name="other")], states=states, neighbours=near)
    assert '"db" (database): FAIL (auth) since 2026-11-21 14:12:00 UTC, says "password refused"' in evidence.as_text(
        same
    )
    text = explain(evidence)
    happened = text.split("### What happened\n\n")[1]
    assert happened.startswith("What it depends on is down, so look there first: `db` is FAIL (auth) since 2026-11-21")
    assert "The failure of `db`: without it this check cannot be well. Taken by itself: Nothing accepts" in text
    assert "Something that the group shares" not in text and "machine that Greenwall runs on" not in text
    assert commands(text)[0] == "python -m monitor diagnose db\n"


def test_of_several_parents_that_are_down_the_one_furthest_up_is_to_be_looked_at() -> None:
    states = {"db": state(Status.FAIL, 3, Kind.CONNECT), "switch": state(Status.FAIL, 4, Kind.TIMEOUT)}
    text = explain(seen(REFUSED, API, checks=[DB, SWITCH], states=states))
    assert "`db` is FAIL (connect)" in text and "`switch` is FAIL (timeout)" in text
    assert commands(text)[0] == "python -m monitor diagnose switch\n"


def test_a_parent_that_went_down_later_does_not_explain_it_by_itself() -> None:
    results = course(*[ok()] * 20, *[REFUSED] * 40, name="api")
    states = {"db": state(Status.FAIL, 1, Kind.CONNECT)}
    known = gather("api", NOW, results, (), None, (), API, 3600.0, checks={"api": API, "db": DB}, states=states)
    text = explain(known)
    assert "What it depends on is down as well: `db`" in text
    assert "without it this check cannot be well" not in text


def test_a_parent_that_is_well_is_evidence_and_no_cause() -> None:
    evidence = seen(REFUSED, API, checks=[DB], states={"db": state(Status.OK, 900)})
    assert 'It depends on "db" (database): OK since' in evidence.as_text(same)
    assert "What it depends on" not in explain(evidence)


def test_a_parent_that_could_not_be_judged_is_said() -> None:
    states = {"db": state(Status.UNKNOWN, 3, Kind.UNCONFIGURED)}
    text = explain(seen(REFUSED, API, checks=[DB], states=states))
    assert "What it depends on is not down, and not OK either: `db` is UNKNOWN (unconfigured)" in text


def test_children_that_fail_with_it_are_not_taken_for_a_common_cause() -> None:
    child = Result(NOW - timedelta(minutes=2), "api", bad(Kind.CONNECT))
    evidence = seen(REFUSED, DB, checks=[API], neighbours=[child])
    assert evidence.neighbours[0].tie is Tie.CHILD
    text = explain(evidence)
    assert "Checks that depend on it fail too: `api` (connect)" in text
    assert "Something that the group shares" not in text


def test_why_no_alert_is_open_is_evidence() -> None:
    results = course(ok(), REFUSED, name="api")
    held = state_after(results).noted("parent db is down")
    known = gather("api", NOW, results, (), held, (), API, 3600.0)
    assert 'No alert is open for it: "parent db is down".' in known.as_text(same)


# Groups

FRONT = check_of("group", name="front", members_tag="front", at_least=2, warn_below=None)
ONE, TWO, THREE = (check_of("http", name=name, tags=["front"]) for name in ("one", "two", "--three"))
MEMBERS = {
    "one": state(Status.FAIL, 3, Kind.CONNECT, "Connection refused"),
    "two": state(Status.OK, 900),
    "--three": state(Status.UNKNOWN, 9, Kind.INTERNAL),
}


def test_a_group_names_its_members_that_are_bad_the_worst_first() -> None:
    verdict = bad(Kind.CONNECT, "1 of 3 members are up", F("one", "OK", "FAIL"), members={"one": "FAIL"})
    evidence = seen(verdict, FRONT, checks=[ONE, TWO, THREE], states=MEMBERS)
    facts = evidence.as_text(same)
    assert 'It has 3 members; not OK: "one" (http): FAIL (connect) since 2026-11-21 14:12:00 UTC' in facts
    text = explain(evidence)
    assert "These are not OK: `one`, `--three`." in text
    assert "`one` is FAIL (connect) since 2026-11-21 14:12:00 UTC: `Connection refused`" in text
    assert commands(text) == ["python -m monitor diagnose one\n", "python -m monitor diagnose -- --three\n"]
    assert "Nothing accepts connections" not in text


def test_a_group_is_explained_by_its_members_and_not_by_others_that_fail_with_it() -> None:
    near = Result(NOW - timedelta(minutes=2), "two", bad(Kind.CONNECT))
    verdict = bad(Kind.CONNECT, "x", F("one", "OK", "FAIL"))
    lone = check_of("group", members_tag=..., members=["one"], at_least=..., warn_below=...)
    text = explain(seen(verdict, lone, checks=[ONE, TWO], states=MEMBERS, neighbours=[near]))
    assert "### Most likely cause\n\nA group is what its members are. These are not OK: `one`." in text


def test_a_group_whose_members_are_not_known_now_names_those_of_its_verdict() -> None:
    text = explain(seen(bad(Kind.CONNECT, "x", F("one", "OK", "FAIL")), FRONT))
    assert "These are not OK: `one`." in text


def test_a_group_with_the_check_in_it_is_no_neighbour_that_shares_a_cause() -> None:
    near = Result(NOW - timedelta(minutes=2), "front", bad(Kind.CONNECT))
    evidence = seen(REFUSED, ONE, checks=[FRONT, TWO], neighbours=[near])
    assert evidence.neighbours[0].tie is Tie.GROUP
    assert "a group with this check in it" in evidence.as_text(same)
    assert "Something that the group shares" not in explain(evidence)


# What has changed


def test_what_differs_from_the_last_good_verdict_is_evidence_and_a_hint() -> None:
    good = replace(ok(), observed={"address": "10.0.0.5", "version": "16.3"})
    now = bad(Kind.STATUS, "broken", address="10.0.0.5", version="17.0")
    evidence = seen(now, check_of("database"), good=good)
    assert 'Changed since the last good verdict: "version" from "16.3" to "17.0".' in evidence.as_text(same)
    text = explain(evidence)
    assert "`version` `16.3` to `17.0`" in text
    assert "think of the upgrade first" in text


def test_a_good_verdict_from_before_the_lookback_is_compared_with_too() -> None:
    results = course(ok(), *[bad(Kind.STATUS, address="10.0.0.9")] * 3, name="api")
    known = gather("api", NOW, results[1:], (), state_after(results), (), API, 3600.0)
    assert known.last_good is None
    assert '"address" from "10.0.0.5" to "10.0.0.9"' in known.as_text(same)


def test_a_final_url_that_has_changed_is_shown_without_what_may_be_secret() -> None:
    good = replace(ok(), observed={"final_url": "https://me:pw123456@a.example/?token=abc"})
    now = bad(Kind.STATUS, final_url="https://me:pw123456@login.example/?session=s3ss10n")
    evidence = seen(now, API, good=good)
    for text in (evidence.as_text(same), explain(evidence)):
        assert "https://login.example/?session=…" in text
        assert "pw123456" not in text and "s3ss10n" not in text


def test_names_that_a_probe_gives_stand_bare_and_those_of_a_target_are_quoted() -> None:
    perfdata = {'load" E9: fine': {"value": 3.0, "unit": "s"}}
    outcome = bad(Kind.CONTENT, "CRITICAL", **{"perfdata": perfdata, 'x" E9: all is well': 1, "exit_code": 2})
    text = seen(outcome, check_of("command")).as_text(same)
    assert 'exit_code "2"' in text
    assert 'perfdata "load\' E9: fine value 3, unit s"' in text
    assert "all is well" not in text


# Neighbours


def test_containers_and_units_of_this_machine_that_fail_together_point_to_it() -> None:
    near = Result(NOW - timedelta(minutes=2), "nginx", bad(Kind.STATUS))
    text = explain(
        seen(bad(Kind.STATUS, state="exited"), check_of("docker"), checks=[check_of("systemd")], neighbours=[near])
    )
    assert "One cause behind this machine" in text
    assert "uptime; df -h; free -h; systemctl --failed\n" in commands(text)


def test_programs_that_fail_together_may_have_looked_anywhere() -> None:
    near = Result(NOW - timedelta(minutes=2), "nginx", bad(Kind.STATUS))
    text = explain(seen(bad(Kind.STATUS), check_of("command"), checks=[check_of("systemd")], neighbours=[near]))
    assert "One cause behind" not in text


def test_a_full_queue_is_no_full_machine() -> None:
    near = Result(NOW - timedelta(minutes=2), "mail queue", bad(Kind.RESOURCE))
    local = check_of("http", url="http://127.0.0.1/", group="Other")
    assert "at its limit" not in explain(seen(REFUSED, local, checks=[check_of("queue")], neighbours=[near]))


def test_what_does_not_reach_out_says_nothing_of_our_network() -> None:
    near = [
        Result(NOW - timedelta(minutes=2), name, bad(Kind.TIMEOUT)) for name in ("root file system", "disk", "nginx")
    ]
    checks = [check_of("command"), check_of("host"), check_of("systemd")]
    text = explain(seen(bad(Kind.TIMEOUT, phases={"dns": 1.0}), check_of("tcp"), checks=checks, neighbours=near))
    assert "machine that Greenwall runs on" not in text
