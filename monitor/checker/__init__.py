"""The checker: the one that looks, decides and writes. One thread owns all state; pools do the waiting.

    timetable ── due ──▶ watch ── probe in a pool ──▶ verdict ──▶ state ──▶ alertdesk ──▶ outbox ──▶ channels
        ▲                  │ fails: again, soon                    │            │
    checks.yaml            ▼                                       ▼            ▼
     (reloaded)         confirm                                 results/   alerts.jsonl          state.json ◀─ publish

Everything that other threads have to say is posted to the loop and done by the checker's own thread, so that
nothing here needs a lock. A second checker on the same folder is a follower: it waits for the lock.
"""

from monitor.checker.life import Checker, is_led

__all__ = ["Checker", "is_led"]
