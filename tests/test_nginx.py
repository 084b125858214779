"""The http kind against a real nginx, over http and https with our own CA, while it is stopped and started again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from monitor.config import HttpCheck
from monitor.model import Kind, Status
from monitor.probes import Setting, run_probe
from tests.conftest import eventually, free_port, program


class Nginx:
    def __init__(self, folder: Path) -> None:
        self.program = program("nginx", "nginx-light")
        self.http, self.https, self.folder = free_port(), free_port(), folder
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate = authority.issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        temp = "".join(f"{k}_temp_path {folder};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        answer = "return 200 '{\"ok\": true}';"
        (folder / "nginx.conf").write_text(
            f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}
            http {{ access_log off; {temp} default_type application/json; server {{
              listen 127.0.0.1:{self.http}; listen 127.0.0.1:{self.https} ssl;
              ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
              location / {{ {answer} }} location /old {{ return 301 /new; }} location /gone {{ return 410; }}
            }} }}"""
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self.program, "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        eventually(lambda: self.see(f"http://127.0.0.1:{self.http}/")[0] is Status.OK, 10, "nginx answers")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def see(self, url: str, **more: object) -> tuple[Status, Kind | None]:
        check = HttpCheck.model_validate({"name": "n", "type": "http", "url": url, "timeout": 3, **more})
        outcome = run_probe(check, Setting(self.folder))
        return outcome.status, outcome.kind


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx"))
    server.start()
    yield server
    server.stop()


OK_RULE = [{"path": "$.ok", "equals": True}]


def test_http_with_rules_is_ok(nginx: Nginx) -> None:
    assert nginx.see(f"http://127.0.0.1:{nginx.http}/", expect_jsonpath=OK_RULE) == (Status.OK, None)


def test_redirects_are_followed_and_other_codes_fail(nginx: Nginx) -> None:
    assert nginx.see(f"http://127.0.0.1:{nginx.http}/old") == (Status.OK, None)
    assert nginx.see(f"http://127.0.0.1:{nginx.http}/gone") == (Status.FAIL, Kind.STATUS)


def test_https_is_verified_against_our_own_authority(nginx: Nginx) -> None:
    url = f"https://localhost:{nginx.https}/"
    assert nginx.see(url, ca_file="ca.pem", expect_jsonpath=OK_RULE) == (Status.OK, None)
    assert nginx.see(url) == (Status.FAIL, Kind.TLS)
    assert nginx.see(url, verify=False) == (Status.OK, None)
    assert nginx.see(f"https://127.0.0.1:{nginx.https}/", ca_file="ca.pem") == (Status.FAIL, Kind.TLS)


def test_plain_http_on_the_https_port_and_the_other_way_round_fail(nginx: Nginx) -> None:
    assert nginx.see(f"http://127.0.0.1:{nginx.https}/")[0] is Status.FAIL
    assert nginx.see(f"https://127.0.0.1:{nginx.http}/") == (Status.FAIL, Kind.TLS)


def test_stopped_is_connect_and_started_again_is_ok(nginx: Nginx) -> None:
    url = f"https://localhost:{nginx.https}/"
    nginx.stop()
    assert nginx.see(url, ca_file="ca.pem") == (Status.FAIL, Kind.CONNECT)
    nginx.start()
    assert nginx.see(url, ca_file="ca.pem") == (Status.OK, None)
