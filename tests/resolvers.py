"""Stands in for the system's look-up of names (`getaddrinfo`); conftest.py has it as the fixture `resolver`."""

from __future__ import annotations

import socket
import threading
from typing import Any

REAL = socket.getaddrinfo


class Resolver:
    """`name.slow` hangs until released, `name.none` does not exist, `name.broken` has a server that fails.

    All else is in `known`, or at `addresses`.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.release = threading.Event()
        self.addresses = ["127.0.0.1"]
        self.known: dict[str, list[str]] = {}

    def __call__(self, host: str, *args: Any, **keys: Any) -> list[Any]:
        if host == "127.0.0.1":
            return list(REAL(host, *args, **keys))
        self.asked.append(host)
        if host.endswith(".slow"):
            self.release.wait(20)
        if host.endswith(".none"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host.endswith(".broken"):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        addresses = self.known.get(host.lower(), self.addresses)
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, 0))
            for family, address in zip(families, addresses, strict=True)
        ]
