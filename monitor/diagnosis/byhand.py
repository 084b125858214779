"""How a person asks what a check asks: one harmless command for each kind of check. Pure.

Advice, patterns and rules all send people here. Passwords are asked for or left out, never shown; what the
configuration says stands quoted in the commands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from monitor.diagnosis.case import Case, Step
from monitor.diagnosis.commands import dig, docker, fits_a_line, mosquitto_sub, openssl, redis_cli, sql, systemctl
from monitor.diagnosis.target import Target, look_at_url
from monitor.diagnosis.target.sent import filled, variables

# 16 bytes in Base64, as RFC 6455 wants them.
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_KEY = "Z3JlZW53YWxsIGNoZWNrcw=="
# Quick, and as harmless twenty times as once.
_OFTEN = frozenset({"http", "job", "agents", "dns", "tcp", "icmp", "tls", "grpc", "redis", "docker"})


def by_hand(case: Case) -> Step | None:
    """Return the step that asks what the check asks; None where there is nothing to ask."""
    write = _STEPS.get(case.type)
    if write:
        return write(case)
    return Step("Ask the target by hand:", case.curl("-i")) if case.has_url else None


def again_and_again(case: Case) -> Step | None:
    """Return the step that asks twenty times, to see which answers are bad; None where that would be no good."""
    if case.type not in _OFTEN or (case.type == "agents" and not case.has_url):
        return None
    text = "Ask twenty times and see which answers are bad" + (", and from which address:" if case.has_url else ":")
    return Step(text, _TWENTY[case.type](case) if case.type in _TWENTY else _loop(_once(case)))


def _once(case: Case) -> str:
    if case.has_url:
        return case.curl("-o /dev/null -w '%{http_code} %{time_total} %{remote_ip}\\n'")
    step = by_hand(case)
    return step.command if step else "true"


def _loop(command: str) -> str:
    return f"for i in $(seq 20); do {command}; sleep 1; done"


# Where once more is said by the program itself, or the whole answer would be too long twenty times.
_TWENTY: dict[str, Callable[[Case], str]] = {
    "icmp": lambda case: f"ping -c 20 {case.arg(case.host)}",
    "redis": lambda case: f"{redis_cli(case)} -r 20 -i 1 PING",
    "tls": lambda case: _loop(f"{openssl(case)} 2> /dev/null | openssl x509 -noout -serial -enddate"),
}


# ---- over HTTP


def _curl(case: Case) -> Step:
    return Step("Ask for it as the check does:", case.curl("-i"))


def _websocket(case: Case) -> Step:
    headers = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {_KEY}")
    options = " ".join(f"-H '{header}'" for header in headers)
    return Step(
        "Ask for the upgrade by hand (`101 Switching Protocols` is what must come; curl then waits until its time "
        "is up):",
        case.curl(f"-i -N --http1.1 {options}"),
    )


def _service(case: Case) -> Step:
    return Step(
        "See whether it answers at all, without a key (401 or 404 says that it is there):",
        case.curl("-o /dev/null -w '%{http_code} in %{time_total} s\\n'"),
    )


def _agents(case: Case) -> Step:
    if case.has_url:
        return Step("Read the registry:", case.curl("-i"))
    file = case.arg(case.detail("file"))
    return Step("Read the registry (run it beside `checks.yaml`):", f"ls -l {file}\nhead -c 4000 {file}")


def failing_step(case: Case) -> str:
    """Return the name of the step that ended the walk, or an empty text."""
    told, names = case.observed("steps"), [request.name for request in case.target.requests] if case.target else []
    for name in names:
        figures = told.get(name) if isinstance(told, dict) else None
        if isinstance(figures, dict) and figures.get("status") in ("FAIL", "UNKNOWN", "WARN"):
            return name
    texts = [finding.what for finding in case.findings] + ([case.bad.outcome.message] if case.bad else [])
    return next((name for name in names for text in texts if f"{name!r}" in text), "")


def as_step(case: Case) -> Case:
    """Return the case of the failing step, or of the first: its URL is what is to be asked."""
    target = case.target
    if target is None or not target.requests:
        return case
    name = failing_step(case)
    request = next((one for one in target.requests if one.name == name), target.requests[0])
    look = look_at_url(request.url)
    part: Target = replace(
        target,
        what=request.url,
        url=request.url,
        scheme=look.scheme,
        host=look.host,
        port=look.port,
        method=request.method,
        sent=request.sent,
    )
    return case.of(part)


def as_sent(case: Case) -> Step | None:
    """Return the step that sends what the check sends; None when it sends nothing but its question."""
    target = case.target
    if target is None or not (target.sent or target.method not in _READS):
        return None
    names = [case.code(name) for name in variables((*target.sent, filled(target.url)))]
    needs = f"set {', '.join(names)} first" if names else ""
    again = "" if target.method in _READS else "only if it may be done once more: it does what the check does"
    conditions = "; ".join(text for text in (needs, again) if text)
    who = f"step {case.code(failing_step(case))}" if failing_step(case) else "the check"
    return Step(f"Send what {who} sends{f' ({conditions})' if conditions else ''}:", case.sends)


def _steps(case: Case) -> Step:
    one = as_step(case)
    name = failing_step(case)
    which = f"step {case.code(name)}" if name else "the first step"
    return Step(f"Ask for the URL of {which}, without what the steps before it save:", one.curl("-i"))


# ---- over other protocols


def _dns(case: Case) -> Step:
    who = "the resolver that the check asks" if case.detail("resolver") else "the name servers of this machine"
    return Step(f"Ask {who}:", dig(case))


def _tcp(case: Case) -> Step:
    if case.detail("tls"):
        return Step("Make the handshake by hand:", f"{openssl(case)} | head -30")
    return Step("Try the port from here:", f"nc -vz -w 5 {case.arg(case.host)} {case.port}")


def _udp(case: Case) -> Step:
    return Step(
        "Try the port from here (only a refusal proves something):",
        f"nc -vzu -w 3 {case.arg(case.host)} {case.port}",
    )


def _icmp(case: Case) -> Step:
    return Step("Ping it:", f"ping -c 5 {case.arg(case.host)}")


def _tls(case: Case) -> Step:
    return Step("See the chain that it sends and the verdict on it:", openssl(case, " -showcerts"))


def _smtp(case: Case) -> Step:
    if case.detail("tls") or case.detail("starttls"):
        return Step("Greet it by hand, with TLS:", openssl(case, " -crlf"))
    return Step(
        "Greet it by hand:",
        f"printf 'EHLO greenwall.example\\r\\nQUIT\\r\\n' | nc -w 10 {case.arg(case.host)} {case.port}",
    )


def _ssh(case: Case) -> Step:
    return Step("Greet it by hand:", f"ssh-keyscan -T 5 -p {case.port} {case.arg(case.host)}")


def _grpc(case: Case) -> Step:
    options = f" -service={case.arg(case.detail('service'))}" if case.detail("service") else ""
    if case.detail("tls"):
        name = case.detail("server_name") or case.host
        options += f" -tls -tls-server-name={case.arg(name)}"
        options += f" -tls-ca-cert={case.arg(case.detail('ca_file'))}" if case.detail("ca_file") else ""
    return Step("Ask its health service by hand:", f"grpc_health_probe -addr={case.arg(case.where)}{options}")


def _mqtt(case: Case) -> Step:
    topic = case.detail("topic")
    return Step(
        "Log in by hand and wait for one message:" if topic else "Log in by hand:",
        mosquitto_sub(case, topic or "$SYS/broker/version"),
    )


def _database(case: Case) -> Step | None:
    query = case.detail("query")
    if not case.detail("dialect"):
        return None
    fits = fits_a_line(query)
    hint = " (`DATABASE_URL` is the URL of the check)" if case.detail("dialect") == "postgresql" else ""
    what = "Run the check's own query by hand" if fits else "Log in by hand, and run the check's query"
    return Step(f"{what}{hint}:", sql(case, query if fits else "SELECT 1"))


def _redis(case: Case) -> Step | None:
    return Step("Ask it by hand:", f"{redis_cli(case)} PING") if case.target and case.target.scheme else None


def _queue(case: Case) -> Step | None:
    if case.has_url:
        return Step("Ask RabbitMQ's management for the queue (it asks for the password):", case.curl("-u USER"))
    key = case.detail("stream") or case.detail("list")
    if not (case.target and case.target.scheme and key):
        return None
    ask = f"XINFO GROUPS {case.arg(key)}" if case.detail("stream") else f"LLEN {case.arg(key)}"
    return Step("Ask Redis for the queue:", f"{redis_cli(case)} {ask}")


# ---- on this machine


def _docker(case: Case) -> Step:
    name = case.arg(case.detail("container"))
    return Step("Ask the daemon for it:", f"{docker(case)} inspect --format '{{{{json .State}}}}' {name}")


def _systemd(case: Case) -> Step:
    return Step("Ask systemd for it:", systemctl(case, "status --no-pager --full"))


def _program(case: Case) -> Step:
    folder = f"cd {case.arg(case.detail('cwd'))} && " if case.detail("cwd") else ""
    program = case.arg(case.detail("program"))
    arguments = " ARGUMENTS" if case.detail("has_arguments") else ""
    return Step(
        "Run it by hand as the user that Greenwall runs as (USER), with as little in its environment; arguments and "
        "`env` stand in `checks.yaml`:",
        f'{folder}sudo -u USER env -i PATH="$PATH" HOME=/ LANG="$LANG" {program}{arguments}; echo "exit code $?"',
    )


def _host(case: Case) -> Step:
    path = case.arg(case.detail("path") or "/")
    commands = {
        "cpu": "uptime\nvmstat 1 5",
        "load": "uptime\nnproc",
        "memory": "free -h",
        "swap": "free -h\nvmstat 1 5",
        "disk": f"df -h {path}",
        "inode": f"df -i {path}",
        "process": "ps -eo pid,ppid,etime,rss,args | less",
    }
    return Step("Measure it by hand:", commands.get(case.detail("metric"), "uptime; df -h; free -h"))


def _heartbeat(_case: Case) -> Step:
    return Step(
        "On the job's machine, see whether Greenwall can be reached from there (ADDRESS is Greenwall's, KEY the "
        "check's; `/log` leaves a note and changes nothing):",
        "curl -fsS -m 10 --data-raw 'by hand' ADDRESS/ping/KEY/log",
    )


_STEPS: dict[str, Callable[[Case], Step | None]] = {
    "http": _curl,
    "job": _curl,
    "websocket": _websocket,
    "service": _service,
    "agents": _agents,
    "steps": _steps,
    "dns": _dns,
    "tcp": _tcp,
    "udp": _udp,
    "icmp": _icmp,
    "tls": _tls,
    "smtp": _smtp,
    "ssh": _ssh,
    "grpc": _grpc,
    "mqtt": _mqtt,
    "database": _database,
    "redis": _redis,
    "queue": _queue,
    "docker": _docker,
    "systemd": _systemd,
    "command": _program,
    "host": _host,
    "heartbeat": _heartbeat,
    "group": lambda _case: None,
}
