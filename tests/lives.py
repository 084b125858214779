"""Lives of a checker, each ended by kill -9: `python -m tests.lives FOLDER SEED COUNT`.

A life is a process forked from this one, which has imported everything and has no threads: a start costs little. Each
dies at a step of the outbox, or anywhere when it does not get there. A line on standard output says where each died;
after `settling` one lives on until standard input ends.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.alerts import lanes
from monitor.channels import webhook
from monitor.checker import Checker
from monitor.checker.outbox import Outbox
from monitor.config import ConfigFile
from monitor.history.jsonl import JsonlWriter

STEPS = (
    "anywhere",
    "before it is stored",
    "in the middle of storing",
    "stored, not sent",
    "about to be sent",
    "on its way",
    "answered, receipt not seen",
    "receipt seen, not stored",
)
# Who does not get to a step dies anyway; a start and an outage fit in, also on a busy machine.
LONGEST_S = 4.0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_at(step: str, chance: random.Random) -> None:
    """Have this process die when it has come to this step for the first to third time."""
    left = chance.randint(1, 3)

    def is_now() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    append, post, ended = JsonlWriter.append, webhook.post, Outbox._ended

    def dying_append(self: JsonlWriter, lines: Any) -> None:
        batch = b"".join(lines)
        if self.path.name != "alerts.jsonl" or step not in STEPS[1:4] or not is_now():
            return append(self, [batch])
        if step == "in the middle of storing":
            os.write(self._file, batch[: chance.randint(1, len(batch) - 1)])
        elif step == "stored, not sent":
            append(self, [batch])
        return die()

    def dying_post(*arguments: Any, **more: Any) -> Any:
        if step == "about to be sent" and is_now():
            die()
        if step == "on its way" and is_now():
            threading.Timer(chance.uniform(0.0, 0.02), die).start()
        answer = post(*arguments, **more)
        if step == "answered, receipt not seen" and is_now():
            die()
        return answer

    def dying_ended(self: Outbox, *arguments: Any) -> None:
        ended(self, *arguments)
        if step == "receipt seen, not stored" and is_now():
            die()

    JsonlWriter.append, webhook.post, Outbox._ended = dying_append, dying_post, dying_ended  # type: ignore[method-assign]


def born(folder: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Return the process id of a new life."""
    child = os.fork()
    if child:
        return child
    try:
        # What the console says is nothing for whoever reads where they died.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        prepare()
        lanes.FIRST_WAIT_S = 0.05
        Checker(ConfigFile(folder / "checks.yaml"), folder / "data").start()
        time.sleep(600)
    finally:
        os._exit(1)


def has_died(child: int, within_s: float) -> bool:
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.005)
    return False


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main(folder: Path, seed: str, count: int) -> None:
    chance = random.Random(seed)
    # What every start would do anew is done once.
    ConfigFile(folder / "checks.yaml").read()
    gc.collect()
    gc.freeze()
    for number in range(count):
        step = STEPS[number % len(STEPS)]
        own = random.Random(chance.random())
        child = born(folder, lambda step=step, own=own: dies_at(step, own))  # type: ignore[misc]
        if has_died(child, own.uniform(0.05, 0.4) if step == "anywhere" else LONGEST_S):
            print(step, flush=True)
        else:
            kill(child)
            print("anywhere", flush=True)
    last = born(folder)
    print("settling", flush=True)
    sys.stdin.read()
    kill(last)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
