"""Remedies in the checker, as stories: a real service fails, a real remedy runs, and what became of it is on record."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import Alert, AlertBook, AlertEvent, What, on_verdict, resolve
from monitor.checker.loop import Loop
from monitor.checker.remedying import Remedies
from monitor.checker.watch import Watch
from monitor.config import CheckBase, Environment, parse_config
from monitor.model import Flag, Kind, Outcome, Result, Status
from monitor.probes import Setting
from monitor.remedies import Effect, Phase, figures
from monitor.state import CheckState, Transition
from monitor.units import utc_now
from tests.services import Asked, Says, Service

LONGEST_S = 30.0


class Services(Service):
    """Services by path: each answers its code; `POST` to one heals it, unless `is_deaf` or told to answer otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, int] = {}
        self.is_deaf = False
        self.to_posts = 204
        self.on_post: Callable[[], None] = lambda: None
        self.answer = self._answer

    def _answer(self, asked: Asked) -> Says:
        if asked.method == "GET":
            return Says(self.codes.get(asked.path, 200))
        self.on_post()
        if not self.is_deaf:
            self.codes[asked.path] = 200
        return Says(self.to_posts)

    @property
    def posts(self) -> list[str]:
        return [asked.path for asked in self.of("POST")]


@pytest.fixture
def services() -> Iterator[Services]:
    with closing(Services()) as one:
        yield one


class Bench:
    """Watch, policy and remedies as the checker joins them, turned by the test; `lines` are what was stored."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor, lines: list[AlertEvent] | None = None) -> None:
        self.folder, self.lines = folder, [] if lines is None else lines
        self.audit: list[tuple[str, str, str, str, bool]] = []
        self.book = AlertBook(self.lines)
        self.loop = Loop()
        self.watch = Watch(self.loop, pool, self._on_verdict)
        self.remedies = Remedies(self.loop, self.watch, self.book, self.record, self.note)

    def note(self, *line: Any) -> None:
        self.audit.append(line)

    def record(self, event: AlertEvent) -> Alert | None:
        # As it comes from the file.
        event = AlertEvent.from_json(json.loads(json.dumps(event.to_json())))
        self.lines.append(event)
        return self.book.apply(event)

    def configure(self, text: str, **variables: str) -> None:
        loaded = parse_config(text, self.folder / "checks.yaml", Environment(variables))
        self.watch.configure(loaded.checks, Setting.of(loaded, self.folder), lambda outcome: outcome)
        self.remedies.configure(loaded)

    def _on_verdict(self, check: CheckBase, state: CheckState, _result: Result, _change: Transition | None) -> None:
        now = utc_now()
        for event in on_verdict(check, state, self.book.latest(check.name), now).events:
            self.record(event)
        self.remedies.judged(check, state, self.book.latest(check.name), now)

    def judge(self, name: str, outcome: Outcome) -> None:
        """Have this verdict in place of a probe's."""
        self.watch.judge(self.watch.watched[name], outcome)

    def look(self, *names: str) -> None:
        """Look at checks, and do all that follows from it at once."""
        for name in names:
            self.watch.look(name)
        self.until(lambda: not self.watch.in_flight, "verdicts")

    def until(self, is_so: Callable[[], Any], what: str = "") -> None:
        give_up_at = time.monotonic() + LONGEST_S
        while not is_so():
            assert time.monotonic() < give_up_at, f"not so in time: {what}"
            self.loop.run(0.05)
            self.remedies.start()

    def looked(self, name: str, is_so: Callable[[], Any], what: str = "") -> None:
        """Look at a check again and again until it is so."""
        give_up_at = time.monotonic() + LONGEST_S
        while not is_so():
            assert time.monotonic() < give_up_at, f"not so in time: {what}"
            self.look(name)

    def notes(self, phase: Phase, name: str = "") -> list[str]:
        return [
            event.note
            for event in self.lines
            if event.what is What.REMEDY and event.data["phase"] == phase and str(event.data["key"]).startswith(name)
        ]

    def effects(self, name: str = "") -> list[str]:
        return [note.split(":")[0] for note in self.notes(Phase.VERDICT, name)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    pool = ThreadPoolExecutor(4)
    yield partial(Bench, tmp_path, pool)
    pool.shutdown()


def config(url: str, *names: str, action: str = "", on_fail: str = "", more: str = "", of_all: str = "") -> str:
    """Return checks by path, each with a remedy that posts to it; `{name}` in an action is the check's."""
    text = f"global: {{every: 1h, retries: 0, timeout: 5s{of_all}}}\nchecks:\n"
    for name in names:
        does = (action or f'type: http_post, url: "{url}/{{name}}", verify: 0').replace("{name}", name)
        text += f"""
  - name: {name}
    type: http
    url: {url}/{name}
    on_fail: {{actions: [{{{does}}}]{on_fail}}}
    {more}
"""
    return text


def posts_to(services: Services, **keys: Any) -> str:
    return ", ".join(
        f"{key}: {value}"
        for key, value in ({"type": "http_post", "url": f'"{services.url}/{{name}}"', "verify": 0} | keys).items()
    )


def test_a_service_fails_its_remedy_runs_and_the_alert_says_that_it_helped(
    bench: Callable[..., Bench], services: Services
) -> None:
    one = bench()
    one.configure(config(services.url, "shop"))
    one.look("shop")
    assert one.lines == []
    services.codes["/shop"] = 500
    one.look("shop")
    one.until(lambda: one.effects() == ["helped"], "healed without another turn")
    alert = one.book.latest("shop")
    assert alert is not None and not alert.is_open
    phases = [event.data["phase"] for event in alert.events if event.what is What.REMEDY]
    assert phases == ["started", "ran", "verdict"]
    assert services.posts == ["/shop"]
    assert one.audit == [("remedy", "shop", "checker", f"http_post {services.url}/shop: http_post answered 204", True)]
    known = figures([alert])["shop#0"]
    assert (known.runs, dict(known.effects)) == (1, {Effect.HELPED: 1})


def test_nothing_is_done_that_is_not_on_record(bench: Callable[..., Bench], services: Services) -> None:
    one = bench()
    one.configure(config(services.url, "shop"))
    services.codes["/shop"] = 500
    one.watch.look("shop")
    while not one.notes(Phase.STARTED):
        one.loop.run(0.05)
    one.loop.run(0.05)
    assert services.posts == [], "what it would be is stored first"
    one.until(lambda: services.posts, "then it is done")


def test_a_blip_a_warning_and_a_check_that_is_held_back_run_nothing(
    bench: Callable[..., Bench], services: Services
) -> None:
    one = bench()
    one.configure(config(services.url, "shop"))
    watched = one.watch.watched["shop"]
    one.judge("shop", Outcome(Status.WARN, Kind.SLOW, "slow"))
    one.remedies.judged(watched.check, watched.state, None, utc_now())
    failing = Outcome(Status.FAIL, Kind.STATUS, "status is 500")
    watched.state = CheckState(Status.FAIL, utc_now(), checked_at=utc_now(), kind=Kind.STATUS)
    one.remedies.judged(watched.check, watched.state, None, utc_now())
    assert one.lines == []
    one.judge("shop", failing)
    assert len(one.notes(Phase.STARTED)) == 1


def test_without_effect_it_is_tried_again_after_the_cool_down_and_then_no_more(
    bench: Callable[..., Bench], services: Services
) -> None:
    services.is_deaf, services.codes["/shop"] = True, 500
    one = bench()
    one.configure(config(services.url, "shop", action=posts_to(services, attempts=2, cooldown="1s")))
    one.look("shop")
    one.until(lambda: one.effects() == ["no effect"], "the first attempt")
    one.looked("shop", lambda: len(services.posts) == 2, "the second one")
    one.looked("shop", lambda: one.effects() == ["no effect"] * 2)
    one.looked("shop", lambda: any(note.startswith("attempts") for note in one.notes(Phase.REFUSED)))
    for _ in range(3):
        one.look("shop")
    assert len(services.posts) == 2
    refused = [note.split(":")[0] for note in one.notes(Phase.REFUSED)]
    assert sorted(refused) == ["attempts", "cool-down"], "each reason once"


def test_remedies_are_tried_in_their_order_the_next_one_when_those_before_did_not_help(
    bench: Callable[..., Bench], services: Services
) -> None:
    services.codes["/shop"] = 500
    first = f'{{type: http_post, url: "{services.url}/nothing", verify: 0}}'
    second = f'{{type: http_post, url: "{services.url}/shop", verify: 0}}'
    one = bench()
    one.configure(config(services.url, "shop").replace("actions: [", f"actions: [{first}, {second}, "))
    one.look("shop")
    one.looked("shop", lambda: one.effects() == ["no effect", "helped"])
    assert services.posts == ["/nothing", "/shop"]


def test_it_stops_after_failures_in_a_row_says_so_and_a_person_arms_it_again(
    bench: Callable[..., Bench], services: Services
) -> None:
    services.is_deaf = True
    one = bench()
    one.configure(config(services.url, "shop", action=posts_to(services, cooldown="1ms", stop_after=2)))
    for outage in (1, 2, 3):
        services.codes["/shop"] = 500
        one.looked("shop", lambda: (alert := one.book.latest("shop")) and alert.is_open)
        ran = min(outage, 2)
        one.looked("shop", lambda wanted=ran: len(one.effects()) == wanted)
        one.look("shop")
        services.codes["/shop"] = 200
        one.looked("shop", lambda: not one.book.open())
    assert len(services.posts) == 2
    stopped = [note for note in one.notes(Phase.REFUSED) if note.startswith("stopped")]
    assert stopped[-1] == "stopped: 2 runs in a row did not help; run it by hand to let Greenwall try it again"
    alert = one.book.latest("shop")
    assert alert and stopped[-1] in [event.note for event in alert.events], "the alert that got none says why"
    assert [line[-1] for line in one.audit if "stopped" in line[3]][-1] is False

    services.is_deaf, services.codes["/shop"] = False, 500
    one.look("shop")
    assert one.remedies.by_hand("shop", 0, "ann").startswith("remedy 1 of shop (http_post) is run now")
    one.looked("shop", lambda: one.effects()[-1] == "helped")
    services.codes["/shop"] = 500
    one.looked("shop", lambda: len(services.posts) == 4, "it runs by itself again")


def test_a_dry_run_says_what_it_would_do_once_and_does_nothing(bench: Callable[..., Bench], services: Services) -> None:
    services.codes["/shop"] = 500
    one = bench()
    one.configure(config(services.url, "shop", action=posts_to(services, dry_run="true")))
    for _ in range(3):
        one.look("shop")
    wanted = f"dry run: would do http_post {services.url}/shop"
    assert one.notes(Phase.REFUSED) == [wanted]
    assert one.remedies.by_hand("shop", 0, "ann") == wanted
    assert services.posts == []


def test_a_storm_of_failing_checks_touches_a_few_targets_of_a_group(
    bench: Callable[..., Bench], services: Services
) -> None:
    names = [f"web-{n}" for n in range(50)]
    services.is_deaf = True
    services.codes = {f"/{name}": 500 for name in names}
    one = bench()
    one.configure(config(services.url, *names))
    one.look(*names)
    one.until(lambda: len(one.effects()) == 3, "three ran")
    one.look(*names)
    assert len(set(services.posts)) == len(services.posts) == 3
    capped = {note for note in one.notes(Phase.REFUSED) if note.startswith("blast cap: 3 targets of group Services")}
    assert capped
    with pytest.raises(ValueError, match="not run, blast cap"):
        one.remedies.by_hand(next(name for name in names if f"/{name}" not in services.posts), 0, "ann")


def test_the_global_budget_holds_over_groups(bench: Callable[..., Bench], services: Services) -> None:
    names = [f"web-{n}" for n in range(8)]
    services.is_deaf = True
    services.codes = {f"/{name}": 500 for name in names}
    one = bench()
    text = config(services.url, *names, of_all=", remedies_per_hour: 5")
    for name in names:
        text = text.replace(f"- name: {name}\n", f"- name: {name}\n    group: of {name}\n")
    one.configure(text)
    one.look(*names)
    one.until(lambda: len(one.effects()) == 5, "five ran")
    assert any(note.startswith("global budget: 5 of 5") for note in one.notes(Phase.REFUSED))
    assert len(services.posts) == 5


def test_two_checks_of_one_service_restart_it_once(bench: Callable[..., Bench], services: Services) -> None:
    services.codes = {"/shop": 500, "/cart": 500}
    gate = threading.Event()
    services.on_post = lambda: gate.wait(LONGEST_S) and None
    one = bench()
    action = f'type: http_post, url: "{services.url}/shop", verify: 0, timeout: 30s'
    one.configure(config(services.url, "shop", "cart", action=action))
    one.look("shop")
    one.until(lambda: services.posts, "the first one runs")
    one.look("cart")
    assert one.notes(Phase.REFUSED, "cart")[0].startswith(f"locked: http_post {services.url}/shop, for shop, began")
    gate.set()
    one.until(lambda: one.effects("shop") == ["helped"], "judged")
    assert services.posts == ["/shop"]
    one.look("cart")
    one.until(lambda: len(services.posts) == 2, "then the lock is free")


def test_a_remedy_that_hangs_holds_up_no_other(bench: Callable[..., Bench], services: Services, tmp_path: Path) -> None:
    services.codes = {"/shop": 500, "/cart": 500}
    one = bench()
    hangs = f'type: command, command: [sh, -c, "while ! test -e {tmp_path}/enough; do sleep 0.05; done"], timeout: 60'
    text = config(services.url, "shop", action=hangs, of_all=", remedies: [http_post, command]")
    one.configure(text + config(services.url, "cart").partition("checks:\n")[2])
    one.look("shop", "cart")
    one.until(lambda: one.effects("cart") == ["helped"], "the other one is done")
    assert one.notes(Phase.STARTED, "shop") and not one.notes(Phase.RAN, "shop")
    (tmp_path / "enough").touch()
    one.until(lambda: one.notes(Phase.RAN, "shop"), "it ends")


def test_what_fails_to_run_has_no_effect_at_once(bench: Callable[..., Bench], services: Services) -> None:
    services.codes["/shop"], services.is_deaf, services.to_posts = 500, True, 503
    one = bench()
    one.configure(config(services.url, "shop", action=posts_to(services, verify="1h")))
    one.look("shop")
    one.until(lambda: one.effects(), "judged although its time to help is not over")
    assert one.notes(Phase.RAN) == ["http_post answered 503"]
    assert one.notes(Phase.VERDICT) == ["no effect: it failed"]
    assert one.audit[0][-1] is False


def test_a_remedy_that_makes_it_worse_is_harmful_and_not_run_again(
    bench: Callable[..., Bench], services: Services, closed_port: int
) -> None:
    one = bench()
    one.configure(config(services.url, "shop", action=posts_to(services, attempts=5, cooldown="1ms")))
    services.codes["/shop"], services.is_deaf = 500, True
    # It answered wrongly; from the remedy on nothing listens any more.
    url = f"http://127.0.0.1:{closed_port}/shop"
    services.on_post = lambda: object.__setattr__(one.watch.watched["shop"].check, "url", url)
    one.look("shop")
    one.until(lambda: one.effects() == ["harmful"], "judged")
    assert one.notes(Phase.VERDICT) == ["harmful: it failed with status before, now with connect"]
    one.look("shop")
    assert len(services.posts) == 1
    assert "attempts: its last run for this alert was harmful" in one.notes(Phase.REFUSED)


def test_a_remedy_that_breaks_its_neighbours_is_harmful(bench: Callable[..., Bench], services: Services) -> None:
    one, gate = bench(), threading.Event()
    text = config(services.url, "shop", action=posts_to(services, timeout="30s", verify="1h"))
    for name, more in (("db", ""), ("child", ", depends_on: [shop]"), ("other", ", group: Elsewhere")):
        text += f"\n  - {{name: {name}, type: http, url: {services.url}/{name}{more}}}"
    one.configure(text)
    services.codes["/shop"], services.is_deaf = 500, True
    services.on_post = lambda: gate.wait(LONGEST_S) and None
    one.look("shop")
    one.until(lambda: services.posts, "it runs")
    one.look("db", "child", "other")
    services.codes |= {"/db": 500, "/child": 500, "/other": 500}
    gate.set()
    one.until(lambda: one.notes(Phase.RAN, "shop"), "it ran")
    one.look("db", "child", "other")
    services.codes["/shop"] = 200
    one.looked("shop", lambda: one.effects("shop"))
    assert one.notes(Phase.VERDICT, "shop") == ["harmful: shop is well, but db fails since"]


def test_an_outage_that_shows_in_another_check_later_is_not_the_remedys_fault(
    bench: Callable[..., Bench], services: Services
) -> None:
    one = bench()
    text = config(services.url, "shop", action=posts_to(services, verify="1h"))
    one.configure(text + f"\n  - {{name: cart, type: http, url: {services.url}/cart}}")
    one.look("shop", "cart")
    services.codes |= {"/shop": 500, "/cart": 500}
    services.is_deaf = True
    one.look("shop")
    one.until(lambda: one.notes(Phase.RAN, "shop"), "it ran")
    one.look("cart")
    services.codes["/shop"] = 200
    one.looked("shop", lambda: one.effects("shop"))
    assert one.effects("shop") == ["helped"]


def test_a_restart_in_the_middle_forgets_nothing(bench: Callable[..., Bench], services: Services) -> None:
    services.codes["/shop"], services.is_deaf = 500, True
    gate = threading.Event()
    services.on_post = lambda: gate.wait(LONGEST_S) and None
    text = config(services.url, "shop", action=posts_to(services, timeout="30s", attempts=3, cooldown="1h"))
    first = bench()
    first.configure(text)
    first.look("shop")
    first.until(lambda: services.posts, "it runs")
    # kill -9: what is left is the file.
    second = bench(first.lines)
    second.configure(text)
    assert second.notes(Phase.RAN) == ["Greenwall was stopped while it ran; what became of it is not known"]
    assert second.audit[0][-1] is False
    gate.set()
    services.codes["/shop"] = 200
    second.look("shop")
    second.until(lambda: second.effects() == ["helped"], "judged by the next checker")

    services.codes["/shop"] = 500
    third = bench(second.lines)
    third.configure(text)
    third.look("shop")
    assert third.notes(Phase.REFUSED)[-1].startswith("cool-down: ")
    assert services.posts == ["/shop"]


def test_stop_budget_and_figures_survive_a_restart(bench: Callable[..., Bench], services: Services) -> None:
    services.is_deaf, services.codes["/shop"] = True, 500
    text = config(services.url, "shop", action=posts_to(services, cooldown="1ms", stop_after=1, attempts=9))
    first = bench()
    first.configure(text)
    first.look("shop")
    first.until(lambda: first.effects() == ["no effect"], "judged")
    second = bench(first.lines)
    second.configure(text)
    second.look("shop")
    assert any(note.startswith("stopped") for note in second.notes(Phase.REFUSED))
    assert len(services.posts) == 1
    assert figures(second.book.all())["shop#0"].runs == 1


def test_a_check_that_is_paused_or_removed_gives_its_lock_back(bench: Callable[..., Bench], services: Services) -> None:
    services.codes = {"/shop": 500, "/cart": 500}
    services.is_deaf = True
    one = bench()
    text = config(services.url, "shop", "cart", action=posts_to(services, verify="1ms"))
    one.configure(text)
    one.look("shop")
    one.watch.flag("shop", Flag.PAUSED, True)
    one.until(lambda: one.effects("shop"), "given up")
    assert one.notes(Phase.VERDICT, "shop") == ["not known: the check is not looked at"]

    one.configure(config(services.url, "cart", action=posts_to(services, verify="1h")))
    one.look("cart")
    one.until(lambda: one.notes(Phase.RAN, "cart"), "it ran")
    one.configure(config(services.url, "shop"))
    assert one.notes(Phase.VERDICT, "cart") == ["not known: the check was removed from the configuration"]


def test_a_person_runs_one_by_hand_with_or_without_an_alert(bench: Callable[..., Bench], services: Services) -> None:
    one = bench()
    one.configure(config(services.url, "shop", action=posts_to(services, cooldown="1h")))
    one.look("shop")
    one.remedies.by_hand("shop", 0, "ann")
    one.until(lambda: one.effects() == ["not known"], "there was nothing to help")
    assert one.audit[0][:3] == ("remedy", "shop", "ann")
    services.codes["/shop"] = 500
    one.look("shop")
    assert [note.split(":")[0] for note in one.notes(Phase.REFUSED)] == ["cool-down"]
    one.remedies.by_hand("shop", 0, "ann")
    with pytest.raises(ValueError, match="not run, locked: http_post"):
        one.remedies.by_hand("shop", 0, "bob")
    one.until(lambda: one.effects() == ["not known", "helped"], "helped")
    alert = one.book.latest("shop")
    assert alert and {e.by for e in alert.events if e.data.get("phase") in ("started", "ran", "verdict")} == {"ann"}
    for name, index in (("shop", 1), ("shop", -1), ("nobody", 0)):
        with pytest.raises(ValueError, match="has no remedy"):
            one.remedies.by_hand(name, index, "ann")


def test_an_alert_that_a_person_resolved_gets_no_remedy(bench: Callable[..., Bench], services: Services) -> None:
    services.codes["/shop"], services.is_deaf = 500, True
    one = bench()
    one.configure(config(services.url, "shop", action=posts_to(services, attempts=9, cooldown="1ms")))
    one.look("shop")
    one.until(lambda: one.effects(), "the first one")
    alert = one.book.latest("shop")
    assert alert is not None
    for event in resolve(alert, "ann", "known", utc_now()).events:
        one.record(event)
    one.until(lambda: len(one.effects()) == len(one.notes(Phase.STARTED)), "what was on its way is judged")
    before = len(one.lines)
    for _ in range(3):
        one.look("shop")
    assert len(one.lines) == before


def test_in_maintenance_it_waits_for_the_end_of_it(bench: Callable[..., Bench], services: Services) -> None:
    services.codes["/shop"] = 500
    one = bench()
    one.configure(config(services.url, "shop"))
    one.watch.flag("shop", Flag.MAINTENANCE, True)
    one.look("shop")
    assert one.notes(Phase.REFUSED) == ["maintenance: somebody is working on it"]
    one.watch.flag("shop", Flag.MAINTENANCE, False)
    one.look("shop")
    one.until(lambda: one.effects() == ["helped"], "then it runs")


def test_a_program_heals_a_service_and_nothing_secret_of_it_is_kept(
    bench: Callable[..., Bench], services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    services.codes["/shop"] = 500
    code = (
        "import os, sys, urllib.request as r; print(os.environ['SHOP_TOKEN'], sys.argv[1]);"
        f" r.urlopen(r.Request('{services.url}/shop', b'', method='POST'))"
    )
    action = (
        f'type: command, command: ["{sys.executable}", "-c", "{code}", "hidden-argument"], verify: 0,'
        ' env: {SHOP_TOKEN: "${SHOP_TOKEN}"}'
    )
    one = bench()
    one.configure(
        config(services.url, "shop", action=action, of_all=", remedies: [command]"), SHOP_TOKEN="hidden-token"
    )
    one.look("shop")
    one.until(lambda: one.effects() == ["helped"], "healed")
    assert services.posts == ["/shop"]
    assert "hidden-token" not in f"{one.lines}{one.audit}"
    assert one.notes(Phase.STARTED)[0].startswith(f"command {sys.executable} (")


def test_a_unit_is_restarted_by_systemctl(
    bench: Callable[..., Bench], services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.codes["/shop"] = 500
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    one = bench()
    action = "type: systemd_restart, unit: shop, verify: 0"
    one.configure(config(services.url, "shop", action=action, of_all=", remedies: [systemd_restart]"))
    one.look("shop")
    one.until(lambda: one.effects() == ["no effect"], "judged")
    assert (tmp_path / "calls").read_text() == "--no-ask-password restart -- shop\n"


def test_what_rests_is_waited_for_before_what_stands_below_it(bench: Callable[..., Bench], services: Services) -> None:
    second = f'{{type: http_post, url: "{services.url}/reboot", verify: 0}}'
    one = bench()
    one.configure(config(services.url, "shop").replace("}]}", f"}}, {second}]}}"))
    services.codes["/shop"] = 500
    one.look("shop")
    one.until(lambda: one.effects() == ["helped"], "healed")
    services.codes["/shop"] = 500
    one.look("shop")
    assert one.book.open() and [note.split(":")[0] for note in one.notes(Phase.REFUSED)] == ["cool-down"]
    assert one.notes(Phase.STARTED) == [f"http_post {services.url}/shop"]


def test_a_secret_in_an_address_is_shown_nowhere(
    bench: Callable[..., Bench], services: Services, closed_port: int
) -> None:
    services.codes["/shop"] = 500
    action = f'type: http_post, url: "http://127.0.0.1:{closed_port}/hooks/${{SHOP_TOKEN}}"'
    one = bench()
    one.configure(config(services.url, "shop", action=action), SHOP_TOKEN="hidden-token")
    one.look("shop")
    one.until(lambda: one.effects() == ["no effect"], "it failed")
    assert "hidden-token" not in f"{one.lines}{one.audit}"
    assert one.notes(Phase.STARTED) == [f"http_post http://127.0.0.1:{closed_port}/hooks/***"]


def test_further_attempts_wait_while_a_parent_is_down(bench: Callable[..., Bench], services: Services) -> None:
    services.is_deaf, services.codes["/shop"] = True, 500
    one = bench()
    action = posts_to(services, attempts=50, cooldown="1s", stop_after=50)
    text = config(services.url, "shop", action=action, more="depends_on: [api]", on_fail=", hourly_budget: 50")
    text += f"  - {{name: api, type: http, url: {services.url}/api, depends_on: [db]}}\n"
    one.configure(text + f"  - {{name: db, type: http, url: {services.url}/db}}\n")
    one.looked("shop", one.effects, "the first attempt")

    services.codes["/db"] = 500
    one.look("db")
    begun = len(one.notes(Phase.STARTED))
    one.looked("shop", lambda: len(one.effects()) == begun, "the one that has begun ends")
    for _ in range(3):
        one.look("shop")
    assert len(one.notes(Phase.STARTED)) == begun
    assert one.notes(Phase.REFUSED)[-1] == "parent: db is down, which it depends on"

    services.codes["/db"] = 200
    one.look("db")
    one.looked("shop", lambda: len(one.notes(Phase.STARTED)) > begun, "the next attempt")
