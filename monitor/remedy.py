"""Remedies: what may be tried once a failure is confirmed. First cut: `http_post` with a cool-down.

Called by the checker in a thread of its own; decides nothing but whether the cool-down is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.config import HttpPost
from monitor.units import format_duration, plain, seconds_between


@dataclass(frozen=True, slots=True)
class Tried:
    """What a remedy did: `ok` when the far side accepted it. Whether it helped, the next check tells."""

    ok: bool
    detail: str


def cooling_down(action: HttpPost, last_run_at: datetime | None, now: datetime) -> str | None:
    """Return why the action may not run yet, or None when it may."""
    if last_run_at is None:
        return None
    left_s = action.cooldown - seconds_between(last_run_at, now)
    return f"cool-down: {format_duration(left_s)} left of {format_duration(action.cooldown)}" if left_s > 0 else None


def run_action(action: HttpPost) -> Tried:
    """POST as the action says, following no redirect; trouble is returned, not raised."""
    # Loaded by those who have a remedy.
    import requests

    try:
        answer = requests.post(
            action.url,
            json=action.payload,
            headers=dict(action.headers),
            timeout=action.timeout,
            allow_redirects=False,
            stream=True,
        )
        with answer:
            return Tried(200 <= answer.status_code <= 299, f"http_post answered {answer.status_code}")
    # Names, headers and payloads that cannot be sent come as errors of other families.
    except (requests.RequestException, ValueError, TypeError) as error:
        return Tried(False, plain(f"http_post failed: {type(error).__name__}: {error}"))
