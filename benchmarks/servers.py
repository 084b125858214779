"""What is asked: nginx on loopback over http and https, and a server that takes connections and never answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

ANSWER = '{"ok": true, "latency_ms": 12, "queue": {"depth": 3, "oldest_age_s": 1}}'
_SILENT = """
import asyncio, sys
async def main():
    async def hold(reader, writer):
        await asyncio.sleep(120)
        writer.close()
    server = await asyncio.start_server(hold, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Web:
    """URLs that answer, and the CA that vouches for the second."""

    http: str
    https: str
    ca_file: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, package: str) -> str:
    """Return where a server of Debian stands; end with the package's name when it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    return found or sys.exit(f"{name} is missing: install Debian's package {package}")


@contextlib.contextmanager
def running(command: list[str], port: int, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it is up when its port takes connections."""
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=cwd, env=dict(os.environ))
    try:
        wait_until(lambda: can_connect(port), 20.0, command[0])
        yield server
    finally:
        server.terminate()
        server.wait(20)


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Web]:
    """Serve the answer on free loopback ports."""
    port, secure_port = free_port(), free_port()
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"""
        daemon off; worker_processes 1; worker_rlimit_nofile 16384;
        pid {folder}/nginx.pid; error_log {folder}/nginx.err;
        events {{ worker_connections 8192; }}
        http {{
          access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
          uwsgi_temp_path {folder}; scgi_temp_path {folder};
          ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
          server {{ listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{secure_port} ssl backlog=4096;
                    location / {{ default_type application/json; return 200 '{ANSWER}'; }} }}
        }}"""
    )
    with running([program("nginx", "nginx-light"), "-c", str(conf), "-p", str(folder)], port):
        yield Web(f"http://127.0.0.1:{port}/", f"https://127.0.0.1:{secure_port}/", folder / "ca.pem")


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """Take connections and never answer; yield the URL."""
    port = free_port()
    with running([sys.executable, "-c", _SILENT, str(port)], port):
        yield f"http://127.0.0.1:{port}/"


def can_connect(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def wait_until(is_so: Callable[[], bool], longest_s: float, what: str) -> None:
    give_up_at = time.monotonic() + longest_s
    while not is_so():
        if time.monotonic() > give_up_at:
            sys.exit(f"{what} was not ready after {longest_s:.0f} s")
        time.sleep(0.05)
