"""Commands that ask a target what a check asks it, or more: harmless, with what the configuration says quoted. Pure.

Passwords are asked for by the program, taken from a variable that the reader sets, or left out; never shown.
"""

from __future__ import annotations

import re

from monitor.config.endpoint import is_address
from monitor.diagnosis.case import Case
from monitor.diagnosis.interpreter import python

LONGEST_QUERY = 1000


def dig(case: Case, server: str | None = None, options: str = "") -> str:
    """Return the dig command for the check's question, to its own resolver or to another one."""
    name, record = case.detail("name"), case.detail("record")
    question = f"-x {case.arg(name)}" if is_address(name) else f"{case.arg(name)} {record}"
    at = case.detail("resolver") if server is None else server
    port = f" -p {case.port}" if server is None and case.port not in (0, 53) else ""
    tcp = " +tcp" if case.detail("tcp") else ""
    return f"dig{f' @{case.arg(at)}' if at else ''}{port} {question}{tcp}{f' {options}' if options else ''}"


def openssl(case: Case, options: str = "", *, asks_for_name: bool = True) -> str:
    """Return the command that makes a TLS handshake as the check does."""
    name = f" -servername {case.arg(case.detail('server_name') or case.host)}" if asks_for_name else " -noservername"
    more = f" -starttls {case.arg(case.detail('starttls'))}" if case.detail("starttls") else ""
    more += f" -CAfile {case.arg(case.detail('ca_file'))}" if case.detail("ca_file") else ""
    return f"openssl s_client -connect {case.arg(case.where)}{name}{more}{options} < /dev/null"


def redis_cli(case: Case) -> str:
    """Return how to log in to the Redis server; it asks for the password."""
    where = f"-h {case.arg(case.host)} -p {case.port}"
    if socket := case.detail("socket"):
        where = f"-s {case.arg(socket)}"
    options = f" -n {case.arg(case.detail('db'))}" if case.detail("db") not in ("", "0") else ""
    options += " --tls" if case.detail("tls") else ""
    options += " --insecure" if case.detail("tls") and case.detail("insecure") else ""
    options += f" --cacert {case.arg(case.detail('ca_file'))}" if case.detail("ca_file") else ""
    return f"redis-cli {where}{options}{' --askpass' if case.detail('login') else ''}"


def sql(case: Case, *queries: str) -> str:
    """Return the command that has a database answer queries, read-only; the password is asked for or in the URL."""
    words = [case.arg(query, LONGEST_QUERY) for query in queries]
    if case.detail("dialect") == "sqlite":
        return f"sqlite3 -readonly {case.arg(case.detail('file'))} {' '.join(words)}"
    if case.detail("dialect") == "mysql":
        where = f"-h {case.arg(case.host)} -P {case.port}"
        if socket := case.detail("socket"):
            where = f"-S {case.arg(socket)}"
        only = "--init-command='SET SESSION TRANSACTION READ ONLY'"
        name = f" {case.arg(case.detail('name'))}" if case.detail("name") else ""
        together = case.arg("; ".join(queries), 2 * LONGEST_QUERY)
        return f"mysql {where} -u USER -p --connect-timeout=5 {only} -e {together}{name}"
    only = "PGCONNECT_TIMEOUT=5 PGOPTIONS='-c default_transaction_read_only=on'"
    return " \\\n  ".join([f'{only} psql "$DATABASE_URL"', *(f"-c {word}" for word in words)])


def fits_a_line(query: str) -> bool:
    """Return whether a query can be shown on one line: neither too long, nor with comments that end a line."""
    return len(query) <= LONGEST_QUERY and not ("\n" in query and re.search("--|#", query))


def docker(case: Case) -> str:
    """Return the client of the daemon that the check asks."""
    socket = case.detail("docker_socket")
    if "podman" in socket:
        return f"podman --url {case.arg(f'unix://{socket}')}"
    is_usual = socket in ("", "/var/run/docker.sock", "/run/docker.sock")
    return "docker" if is_usual else f"docker -H {case.arg(f'unix://{socket}')}"


def mosquitto_sub(case: Case, topic: str) -> str:
    """Return the command that waits for one message of a topic; USER and the password are to be filled in."""
    options = ""
    if case.detail("tls"):
        ca_file = case.detail("ca_file")
        options += f" --cafile {case.arg(ca_file)}" if ca_file else " --tls-use-os-certs"
        options += " --insecure" if case.detail("insecure") else ""
    options += ' -u USER -P "$MQTT_PASSWORD"' if case.detail("login") else ""
    where = f"-h {case.arg(case.host)} -p {case.port}"
    return f"mosquitto_sub -d -v -C 1 -W 10 {where}{options} -t {case.arg(topic)}"


def systemctl(case: Case, verb: str) -> str:
    """Return a question to systemd about the unit."""
    return f"systemctl{' --user' if case.detail('user') else ''} {verb} -- {case.arg(case.detail('unit'))}"


def explained(case: Case, name: str) -> str:
    """Return the command that has another check explained."""
    return f"{python()} -m monitor diagnose {'-- ' if name.startswith('-') else ''}{case.arg(name)}"
