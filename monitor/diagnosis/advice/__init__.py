"""What each kind of failure usually means and what to do about it: one small function for each kind.

    Kind ──ADVICE──▶ function(Case) ──▶ Advice

To teach a new kind, write a function in the file whose story it belongs to and add a row. Pure; called by `rules`.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.diagnosis.advice.answer import content, slow
from monitor.diagnosis.advice.job import deadline
from monitor.diagnosis.advice.machine import internal, resource, unconfigured, vantage
from monitor.diagnosis.advice.reach import connect, dns, protocol, timeout, tls
from monitor.diagnosis.advice.refusal import auth, status
from monitor.diagnosis.case import Advice, Case
from monitor.model import Kind

ADVICE: dict[Kind, Callable[[Case], Advice]] = {
    Kind.DNS: dns,
    Kind.CONNECT: connect,
    Kind.TLS: tls,
    Kind.TIMEOUT: timeout,
    Kind.PROTOCOL: protocol,
    Kind.STATUS: status,
    Kind.CONTENT: content,
    Kind.SLOW: slow,
    Kind.DEADLINE: deadline,
    Kind.RESOURCE: resource,
    Kind.AUTH: auth,
    Kind.UNCONFIGURED: unconfigured,
    Kind.VANTAGE: vantage,
    Kind.INTERNAL: internal,
}

__all__ = ["ADVICE"]
