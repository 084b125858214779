"""A server is there and does not say what it should: ssh, mqtt, grpc, websocket, udp, icmp. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.commands import mosquitto_sub
from monitor.diagnosis.interpreter import python
from monitor.units import format_duration


def read_log(case: Case, names: str) -> Step:
    return Step(f"On {case.machine}, read its log:", f"journalctl -n 50 --no-pager {names}")


# ---- ssh


def no_ssh(case: Case) -> Advice:
    held = case.says("maxstartups", "not allowed", "exceeded", "closed the connection")
    return Advice(
        f"What answers at {case.code(case.where)} gives no SSH identification: "
        + (
            "the server holds connections back (`MaxStartups`, `PerSourcePenalties`), or ends them before it speaks."
            if held
            else "another service has the port, or a firewall answers in its place."
        ),
        case.because,
        steps_of(
            by_hand(case),
            Step(
                f"On {case.machine}, see its limits; Greenwall's address can be named in `PerSourcePenaltyExemptList`:",
                "sshd -T | grep -i -E 'maxstartups|persource|allowusers|listenaddress'",
            ),
            read_log(case, "-u ssh -u sshd"),
            Step(
                "See whether something blocks the address:",
                "fail2ban-client status sshd\nnft list ruleset | grep -i ssh",
            ),
        ),
        "A line of the log such as `drop connection` or `penalty` at that time confirms it.",
    )


# ---- mqtt


def broker_login(case: Case) -> Advice:
    subscription = case.says("subscription")
    return Advice(
        f"The broker at {case.code(case.where)} "
        + (
            f"lets us in and refuses the subscription to {case.code(case.detail('topic'))}: its access list does not "
            "allow that topic to this user."
            if subscription
            else "refuses the login: the password was changed, the user is gone, or it allows nobody without one."
        ),
        case.because,
        steps_of(
            by_hand(case),
            read_log(case, "-u mosquitto"),
            Step(
                f"If it is Mosquitto, see on {case.machine} what it allows:",
                "grep -n -E 'allow_anonymous|password_file|acl_file|listener' /etc/mosquitto/mosquitto.conf "
                "/etc/mosquitto/conf.d/*.conf",
            ),
        ),
        "`Connection Refused: not authorised` by hand with the same user means the broker's side; success means that "
        "the environment holds the old password.",
    )


def broker_refuses(case: Case) -> Advice:
    return Advice(
        f"The broker at {case.code(case.where)} says that it is not available: it starts, stops, or is at a limit.",
        case.because,
        steps_of(
            by_hand(case),
            Step("See how many clients it has:", mosquitto_sub(case, "$SYS/broker/clients/connected")),
            read_log(case, "-u mosquitto"),
        ),
        "Its log tells of a start, a stop or a limit at that time.",
    )


def no_message(case: Case) -> Advice:
    topic = case.detail("topic")
    if not topic or case.observed("subscribed") is not True:
        return _no_word(case)
    return Advice(
        f"The broker works, and no message came for {case.code(topic)} within {format_duration(case.deadline_s)}: who "
        "publishes it is down, publishes more seldom than that, or to another topic.",
        (f"Login and subscription went well: {case.message}{case.cite(*SEEN)}.",),
        steps_of(
            by_hand(case),
            Step("See what is published at all (for ten seconds):", mosquitto_sub(case, "#").replace("-C 1 ", "", 1)),
            Step("Look at who publishes it: whether it runs, and whether it is connected."),
            Step("If it publishes seldom, have it retain its message, or raise `timeout` of the check."),
        ),
        "A message by hand within the time means that it comes and goes; none with `#` means that nobody publishes.",
    )


def _no_word(case: Case) -> Advice:
    return Advice(
        f"The broker at {case.code(case.where)} does not answer in time: it is stuck, or packets are dropped.",
        (f"It said {case.message}{case.cite(*SEEN)}.", *case.usual_fact),
        steps_of(by_hand(case), read_log(case, "-u mosquitto"), case.journal),
        "An answer by hand means that it comes and goes with load.",
    )


# ---- grpc


def not_serving(case: Case) -> Advice:
    service = case.detail("service")
    unknown = case.observed("grpc_status") == "NOT_FOUND" or "SERVICE_UNKNOWN" in str(case.observed("health"))
    return Advice(
        f"The health service at {case.code(case.where)} does not know {case.code(service)}: its name is another one, "
        "or the server does not register it."
        if unknown
        else f"The server at {case.code(case.where)} runs, and says itself that it is not serving: it starts, stops, "
        "or has lost what it depends on.",
        case.because,
        steps_of(
            by_hand(case),
            Step("See which services it has (where reflection is on):", _grpcurl(case, "list")),
            Step("Look at what it depends on: database, queue, other services."),
            case.journal,
            case.deployed,
        ),
        "SERVING by hand means that it comes and goes; its log says why it set the health to NOT_SERVING.",
    )


def _grpcurl(case: Case, what: str) -> str:
    plain = "" if case.detail("tls") else " -plaintext"
    return f"grpcurl{plain} -max-time 10 {case.arg(case.where)} {what}"


def no_health_service(case: Case) -> Advice:
    if case.observed("grpc_status") != "UNIMPLEMENTED":
        return _no_grpc(case)
    return Advice(
        f"The server at {case.code(case.where)} speaks gRPC and has no health service, so that it cannot be asked.",
        case.because,
        steps_of(
            Step("See which services it has (where reflection is on):", _grpcurl(case, "list")),
            Step("Register `grpc.health.v1.Health` in the server: every gRPC library brings it along."),
            Step("Until then, `type: tcp` tells whether it accepts connections."),
        ),
        "`grpc.health.v1.Health` in the list, and the check turns OK.",
    )


def _no_grpc(case: Case) -> Advice:
    return Advice(
        f"What listens at {case.code(case.where)} does not speak gRPC as it should: plain text and TLS are mixed up, a "
        "proxy does not pass HTTP/2 on, or another service has the port.",
        case.because,
        steps_of(
            by_hand(case),
            Step("Ask it with and without TLS:", f"{_grpcurl(case, 'list')}\n{_other_way(case)}"),
            Step(f"On {case.machine}, see which program has the port:", f"ss -ltnp 'sport = :{case.port}'"),
            case.journal,
        ),
        "If the other way answers, correct `tls` of the check; if neither does, it is the proxy or the program.",
    )


def _other_way(case: Case) -> str:
    plain = " -plaintext" if case.detail("tls") else ""
    return f"grpcurl{plain} -max-time 10 {case.arg(case.where)} list"


# ---- websocket


def no_upgrade(case: Case) -> Advice:
    """Return the advice when the server does not agree to a WebSocket, or ends it."""
    closed = case.observed("close_code")
    if closed is not None or case.says("closed the websocket"):
        return _closed(case)
    return Advice(
        f"{case.code(case.where)} answers, and does not agree to a WebSocket: a proxy does not pass the upgrade on, "
        "the path is another one, or the application behind it is down.",
        case.because,
        steps_of(
            by_hand(case),
            Step(
                "On a proxy such as nginx, see that it passes the upgrade on (`proxy_http_version 1.1`, "
                '`proxy_set_header Upgrade $http_upgrade`, `Connection "upgrade"`):',
                "nginx -T 2> /dev/null | grep -n -i -E 'upgrade|proxy_http_version|proxy_read_timeout'",
            ),
            case.journal,
            case.deployed,
        ),
        "A `101` straight from the application and another status through the proxy mean the proxy.",
    )


def _closed(case: Case) -> Advice:
    return Advice(
        f"{case.code(case.where)} agrees to the WebSocket and then closes it: it does not like who asks or what was "
        "sent, or it restarts.",
        case.because,
        steps_of(
            Step("Talk to it by hand (type what the check sends):", f"{python()} -m websockets {case.arg(case.url)}"),
            case.journal,
            case.deployed,
        ),
        "Codes 1008, 3000 and 3003 mean that the caller is refused, 1001 and 1012 a restart, 1011 an error of its own.",
    )


def no_websocket_message(case: Case) -> Advice:
    return Advice(
        f"{case.code(case.where)} agrees to the WebSocket, and what the check waits for does not come: who feeds it is "
        "down, or it wants to be asked in another way.",
        case.because,
        steps_of(
            Step("Listen to it by hand (type what the check sends):", f"{python()} -m websockets {case.arg(case.url)}"),
            Step("Look at what feeds it: a queue, a database, another service."),
            case.journal,
            case.deployed,
        ),
        "Messages by hand that differ from what is expected mean a change; none at all means that nothing feeds it.",
    )


# ---- udp


def no_datagram(case: Case) -> Advice:
    return Advice(
        f"No answer comes from {case.code(case.where)}: it is down, drops what it does not understand, or a firewall "
        "on the way drops datagrams. UDP does not tell which.",
        case.because,
        steps_of(
            by_hand(case),
            Step(f"On {case.machine}, see who listens there:", f"ss -lunp 'sport = :{case.port}'"),
            Step("See there whether the datagrams arrive:", f"tcpdump -n -c 10 -i any udp port {case.port}"),
            Step(
                "See whether the host is there at all:",
                f"ping -c 3 {case.arg(case.host)}\nmtr -rwc 20 {case.arg(case.host)}",
            ),
            case.journal,
        ),
        "Datagrams that arrive without an answer mean the program; none that arrive mean the way.",
    )


# ---- icmp


def no_echo(case: Case) -> Advice:
    lost, host = case.found("loss"), case.arg(case.host)
    address = case.observed("address")
    refusal = case.observed("refusal")
    cause = (
        f"Some of the pings to {case.code(case.host)} are lost: a line that is full or bad, or a machine that is busy."
        if lost
        else f"A router says that there is no way to {case.code(case.host)}: {case.code(refusal or 'unreachable')}."
        if refusal
        else f"No ping to {case.code(case.host)} is answered: it is down, the way there is broken, or a firewall drops "
        "pings."
    )
    return Advice(
        cause,
        case.because,
        steps_of(
            Step("Ping it longer:", f"ping -c 20 -i 0.5 {host}"),
            Step("See where on the way packets are lost:", f"mtr -rwc 20 {host}\ntraceroute {host}"),
            Step("See by which way this machine goes there:", f"ip route get {case.arg(address)}\nip -s link")
            if address
            else None,
            Step(
                "See whether its services answer though it does not (a firewall may drop pings only):",
                f"nc -vz -w 5 {host} 443",
            ),
        ),
        "Loss that begins at one hop and goes on to the last one is there; loss at one hop alone means nothing. If its "
        "services answer, only pings are dropped.",
    )


def no_pings(case: Case) -> Advice:
    return Advice(
        "Greenwall may not send pings: the kernel allows them neither to its group nor to its program.",
        case.because,
        (
            Step("See which groups may, and in which Greenwall is:", "sysctl net.ipv4.ping_group_range\nid"),
            Step(
                "Allow it, now and after a restart:",
                'sudo sysctl -w net.ipv4.ping_group_range="0 2147483647"\n'
                "echo 'net.ipv4.ping_group_range = 0 2147483647' | sudo tee /etc/sysctl.d/60-ping.conf",
            ),
            Step(
                "In a container, start it with that setting: "
                "`docker run --sysctl net.ipv4.ping_group_range='0 2147483647' …`."
            ),
        ),
        "The next verdict is OK or FAIL, no longer UNKNOWN.",
    )


def too_few_packages(case: Case) -> Advice:
    return Advice(
        "Checks of gRPC need packages that are not installed here; nothing is known of the target.",
        case.because,
        (
            Step(
                "Install them into Greenwall's own environment, and start it anew:",
                f"{python()} -m pip install -r requirements-extra.txt",
            ),
            *steps_of(by_hand(case)),
        ),
        "The next verdict is OK or FAIL, no longer UNKNOWN.",
    )
