"""One answer, read for its assertions: each part at most once, and only when something looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from monitor.config import HttpCheck
from monitor.config.expression import compile_expression
from monitor.model import Finding, Json
from monitor.probes.bodytext import NoText, charset_of, codec_of, start_of, text_of
from monitor.probes.conditions import check_condition
from monitor.probes.curl import Answer, harmless
from monitor.probes.httpcertificate import CertificateVerdict, certificate_of
from monitor.probes.httprules import check_body, check_headers, check_url
from monitor.probes.httpsecrets import redactor_of
from monitor.probes.jsonrules import Remembered, check_rules, parse_json
from monitor.probes.setting import Setting
from monitor.units import plain, utc_now

_REMEMBERED = "changes"
_SHOWN = 300
# What is looked at for the piece that is shown: more than that, so that a secret in it is seen whole.
_LOOKED_AT = 4096
_OF_THE_BODY = {"body", "json", "size"}


class Reading:
    """What an answer says, for the assertions of one check."""

    def __init__(self, check: HttpCheck, answer: Answer, setting: Setting) -> None:
        self._check, self._answer, self._setting = check, answer, setting
        self._remembered: Remembered | None = None
        if any(rule.changes_within is not None for rule in check.expect_jsonpath):
            before = setting.memory.get(_REMEMBERED)
            self._remembered = Remembered(before if isinstance(before, Mapping) else {})

    @property
    def memory(self) -> dict[str, Json] | None:
        """What the next probe has to know; None when there is nothing new."""
        if self._remembered is None or not self._remembered.memory:
            return None
        return {_REMEMBERED: self._remembered.memory}

    @cached_property
    def certificate(self) -> CertificateVerdict:
        return certificate_of(self._check, self._answer, self._setting)

    @cached_property
    def _headers(self) -> tuple[tuple[str, str], ...]:
        return self._answer.headers

    @cached_property
    def _text(self) -> str | Finding:
        try:
            return text_of(self._answer.body, self._answer.content_type)
        except NoText as error:
            return Finding("body", "text", str(error))

    @cached_property
    def _document(self) -> tuple[Any, Finding | None]:
        """Return the JSON document, or the finding that the body is none. It is UTF-8 unless the answer says else."""
        document, finding = parse_json(self._answer.body)
        if finding is None or codec_of(charset_of(self._answer.content_type)) in ("", "utf-8", "ascii"):
            return document, finding
        return parse_json(self._text.encode()) if isinstance(self._text, str) else (None, self._text)

    @property
    def _final_url(self) -> str:
        return self._answer.redirected_to or harmless(self._check.url)

    def wrong_content(self) -> Iterator[Finding]:
        """Yield what the answer holds and should not, or should and does not."""
        check, answer = self._check, self._answer
        if check.final_url:
            yield from check_url(self._final_url, check.final_url)
        if check.expect_headers:
            yield from check_headers(self._headers, check.expect_headers)
        if len(answer.body) < check.min_body_bytes:
            yield Finding("body", f"at least {check.min_body_bytes} bytes", f"{len(answer.body)} bytes long")
        looks_at_body = bool(check.expect_body or check.expect_jsonpath or self._condition_variables & _OF_THE_BODY)
        if looks_at_body and answer.cut:
            yield Finding("body", f"at most {check.max_body_bytes} bytes (max_body_bytes)", "longer")
            return
        yield from self._wrong_text()
        yield from self._wrong_json()
        yield from self._wrong_condition()

    def _wrong_text(self) -> Iterator[Finding]:
        rule = self._check.expect_body
        if rule is None:
            return
        if isinstance(self._text, Finding):
            yield self._text
        elif not self._text.strip():
            yield Finding("body", "text", "empty")
        else:
            yield from check_body(self._text, rule)

    def _wrong_json(self) -> Iterator[Finding]:
        if not self._check.expect_jsonpath:
            return
        document, finding = self._document
        if finding:
            yield finding
        else:
            yield from check_rules(document, self._check.expect_jsonpath, self._remembered)

    @property
    def _condition_variables(self) -> frozenset[str]:
        return compile_expression(self._check.expect).variables if self._check.expect else frozenset()

    def _wrong_condition(self) -> Iterator[Finding]:
        if self._check.expect is None:
            return
        known: dict[str, Any] = {}
        for name in self._condition_variables:
            value = self._known(name)
            if isinstance(value, Finding):
                yield value
                return
            if value is not _UNKNOWN:
                known[name] = value
        finding = check_condition(self._check.expect, known)
        if finding:
            yield finding

    def _known(self, name: str) -> Any:
        """Return the value of a variable, `_UNKNOWN`, or the finding why there can be none."""
        answer = self._answer
        if name == "body":
            return self._text
        if name == "json":
            document, finding = self._document
            return finding or document
        if name == "headers":
            return _by_name(self._headers)
        if name == "cert_days":
            return _UNKNOWN if self.certificate.days is None else self.certificate.days
        if name == "http_version":
            return answer.http_version or _UNKNOWN
        return {
            "status": answer.code,
            "latency_ms": answer.latency_ms,
            "phases": answer.phases_ms,
            "size": len(answer.body),
            "final_url": self._final_url,
            "now": utc_now(),
        }[name]

    def evidence(self) -> dict[str, Json]:
        """Return what shows what was wrong: status line, type, and the start of the body, harmless and bounded."""
        answer = self._answer
        evidence: dict[str, Json] = {"status_line": plain(answer.reason, 120)}
        if self._answer.content_type:
            evidence["content_type"] = plain(self._answer.content_type, 100)
        if answer.body:
            start = start_of(answer.body, self._answer.content_type, _LOOKED_AT)
            evidence["body"] = plain(redactor_of(self._check)(start), _SHOWN)
        return evidence


_UNKNOWN = object()


def _by_name(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return headers by their names in lower case, several of one name joined by commas."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined
