"""Words of other monitors for what has another name here: of Uptime Kuma, Gatus, blackbox_exporter, Prometheus with its
Alertmanager, and by habit.

Asked before the nearest name. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from monitor.units import did_you_mean, nearest

# Ours, and their words for it. Where one word stands in several rows, the first counts that the block around it has.
_KEYS = {
    "checks": "endpoints monitors services targets",
    "type": "prober kind alertname",
    "host": "hostname address server",
    "record": "dns_resolve_type query-type record_type",
    "query": "query-name databaseQuery sql",
    "resolver": "dns_resolve_server dns-resolver nameserver",
    "rcode": "valid_rcodes",
    "every": "interval frequency period check_interval scrape_interval poll_interval",
    "timeout": "scrape_timeout",
    "retries": "maxretries retry attempts",
    "fail_after": "failure-threshold",
    "recover_after": "success-threshold",
    "channels": "alerts alert alerting notifications notificationIDList contacts receiver receivers",
    "name": "alert",
    "depends_on": "depends dependencies parents",
    "tags": "labels extra-labels",
    "tag": "label labels",
    "owner": "team",
    "routes": "route",
    "match": "matchers match_re matcher labels selector",
    "hours": "active_time_intervals",
    "quiet": "mute_time_intervals",
    "escalate": "escalation escalations",
    "rules": "groups",
    "condition": "expr expression",
    "message": "annotations description summary",
    "to": "recipients chat_id user_key",
    "severity": "priority",
    "enabled": "active",
    "enabled: false": "disabled paused",
    "expect_status": "expected_status status_code status_codes accepted_statuscodes valid_status_codes status",
    "expect_body: {contains: …}": "keyword expected_body",
    "expect_contains": "keyword mqttSuccessMessage expected_body",
    "expect_body: {not_contains: …}": "invertKeyword",
    "expect_body: {matches: …}": "fail_if_body_not_matches_regexp",
    "expect_body: {not_matches: …}": "fail_if_body_matches_regexp",
    "expect_headers": "fail_if_header_matches fail_if_header_not_matches",
    "expect_jsonpath": "jsonPath json_path expectedValue",
    "expect": "conditions fail_if_body_json_not_matches_cel dns_last_result",
    "max_redirects": "maxredirects",
    "follow_redirects": "ignore-redirect no_follow_redirects",
    "http_version": "valid_http_versions",
    "max_body_bytes": "body_size_limit",
    "verify: false": "ignoreTls insecure insecure_skip_verify skip_verify",
    "verify": "verify_ssl ssl_verify verify_tls",
    "warn_days": "expiryNotification",
    "client_cert": "cert_file",
    "client_key": "key_file",
    "basic": "basic_auth basic_auth_user basic_auth_pass",
    "bearer": "bearer_token token",
    "token": "bot_token api_token access_token",
    "proxy": "proxy_url proxy-url proxyId",
    "container": "docker_container",
    "socket": "docker_host",
    "topic": "mqttTopic",
    "url": "databaseConnectionString api_url webhook_url service_url",
    "service": "grpcServiceName",
    "key": "pushToken routing_key service_key api_key",
    "metric": "resource",
    "command": "cmd script exec",
}
# What is said in another block altogether.
_ELSEWHERE = {
    "inhibit_rules": "`depends_on` of a check says what is silent while something else is down",
    "time_intervals": "`hours` and `quiet` of a route, or a block of `maintenance`, say when",
    "mute_time_intervals": "`hours` and `quiet` of a route, or a block of `maintenance`, say when",
    "send_resolved": "whoever was told of an opening is told that it is over; `notify_on` of a check decides",
}
_CHANNELS = {
    "email": "mail smtp e-mail",
    "sms": "twilio text",
    "teams": "msteams microsoftteams",
    "webhook": "http https url hook rest",
    "apprise": "mattermost rocketchat signal webex",
    "opsgenie": "jsm",
}
_TYPES = {
    "http": "https keyword json-query web website",
    "tcp": "port",
    "icmp": "ping",
    "heartbeat": "push cron healthcheck",
    "tls": "ssl cert certificate",
    "database": "postgres postgresql mysql mariadb sqlite",
    "queue": "rabbitmq",
    "grpc": "grpc-keyword",
    "command": "exec script shell nagios",
    "host": "disk cpu memory system",
}


def _folded(word: str) -> str:
    """Return the word without case and separators: `proxy-url` is `proxyUrl`."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _by_their_word(rows: dict[str, str]) -> dict[str, list[str]]:
    ours_of: dict[str, list[str]] = {}
    for ours, theirs in rows.items():
        for word in theirs.split():
            ours_of.setdefault(_folded(word), []).append(ours)
    return ours_of


_OURS = _by_their_word(_KEYS)
_OUR_TYPES = _by_their_word(_TYPES)
_OUR_CHANNELS = _by_their_word(_CHANNELS)


def key_hint(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'every'?)` for a key that none of the `known` ones is, or an empty text."""
    if ours := our_key(word, known):
        return f" (did you mean {ours!r}?)"
    return f"; {_ELSEWHERE[word]}" if word in _ELSEWHERE else ""


def our_key(word: str, known: Iterable[str]) -> str | None:
    """Return the key that was probably meant, such as `every` or `verify: false`."""
    keys = list(known)
    ours = next((one for one in _OURS.get(_folded(word), ()) if one.partition(":")[0] in keys), None)
    return ours or (None if word in _ELSEWHERE else nearest(word, keys))


def type_hint(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'icmp'?)` for a type of checks that none of the `known` ones is, or an empty text."""
    return _hint(_OUR_TYPES, word, known)


def channel_hint(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'email'?)` for a type of channels that none of the `known` ones is, or an empty text."""
    return _hint(_OUR_CHANNELS, word, known)


def _hint(ours_of: dict[str, list[str]], word: str, known: Iterable[str]) -> str:
    ours = ours_of.get(_folded(word))
    return f" (did you mean {ours[0]!r}?)" if ours else did_you_mean(word, known)
