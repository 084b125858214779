"""The one deadline that stands over a probe."""

import time

from monitor.probes.deadline import Deadline


def test_what_is_left_shrinks_to_nothing_and_stays_above_zero_as_a_time_out() -> None:
    fresh, over = Deadline(100), Deadline(10, began=time.monotonic() - 20)
    assert 0 < fresh.left_s <= 100
    assert over.left_s == 0
    assert over.left_as_timeout_s > 0
    assert over.elapsed_ms >= 20_000
    assert over.ends_at < time.monotonic() < fresh.ends_at
