"""Commands about checks: run, check, status, validate, schema, demo, diagnose, report."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from monitor.checker import Checker
from monitor.cli.group import cli, exit_when_invalid, loaded_config, say_when_nobody_looks, zone_of
from monitor.config import CheckBase, Config, LoadedConfig, Place
from monitor.demo.server import serve_forever
from monitor.model import Outcome, Status
from monitor.probes import Setting, run_probe
from monitor.units import did_you_mean, format_duration, format_ms, parse_duration, seconds_between, utc_now
from monitor.views import Views

SIGNS = {
    Status.OK: ("✓", "green"),
    Status.WARN: ("!", "yellow"),
    Status.FAIL: ("✕", "red"),
    Status.UNKNOWN: ("?", None),
}


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Serve health, metrics and the API on this port too.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address for --port.")
@click.pass_obj
def run(place: Place, port: int | None, host: str) -> None:
    """Check on schedule until told to stop, without the pages."""
    logging.getLogger("monitor").setLevel(logging.INFO)
    views = Views(place)
    with exit_when_invalid():
        views.file.read()
    if port:
        _serve(views, host, port)
        return
    stop = threading.Event()
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: stop.set())
    checker = Checker(views.file, place.data)
    checker.start()
    click.echo(f"Checking what {place.config} says; results go to {place.data}. Ctrl-C ends it.")
    while not stop.wait(1.0):
        pass
    checker.stop()


def _serve(views: Views, host: str, port: int) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.middleware import Middleware

    from monitor.web import Operator, SecurityHeaders, make_routes, running

    app = Starlette(
        routes=make_routes(views, Operator()),
        lifespan=lambda _app: running(views),
        middleware=[Middleware(SecurityHeaders)],
    )
    click.echo(f"Checking what {views.place.config} says; http://{host}:{port}/healthz answers. Ctrl-C ends it.")
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


@cli.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def check(place: Place, names: tuple[str, ...], as_json: bool) -> None:
    """Probe all checks (or NAMES) once, now, and print what is seen. Exit code 1 if any fails. Stores nothing."""
    loaded = loaded_config(place)
    chosen = [_check_named(loaded, name) for name in names] or [c for c in loaded.checks.values() if c.enabled]
    setting, redact = Setting.of(loaded, place.data), loaded.environment.redactor()
    snapshot = Views(place).now().snapshot
    known = snapshot.checks if snapshot else {}

    def probe(one: CheckBase) -> Outcome:
        # What a running checker remembers of it is known here, too: a counter that must move, a first look.
        return run_probe(one, replace(setting, memory=known[one.name].state.memory if one.name in known else {}))

    with ThreadPoolExecutor(min(loaded.config.general.workers, max(len(chosen), 1))) as pool:
        outcomes = list(pool.map(probe, chosen))
    rows = list(zip(chosen, outcomes, strict=True))
    if as_json:
        click.echo(json.dumps([_outcome_row(one, seen, redact) for one, seen in rows], indent=2, ensure_ascii=False))
    else:
        for one, seen in rows:
            _print_line(one.name, seen.status, redact(seen.message), seen.latency_ms)
        if not rows:
            click.echo(f"{place.config.name} has no checks yet; README shows how to write the first one.")
    sys.exit(1 if any(seen.status is Status.FAIL for seen in outcomes) else 0)


def _check_named(loaded: LoadedConfig, name: str) -> CheckBase:
    if name not in loaded.checks:
        raise click.UsageError(f"no check is called {name!r}{did_you_mean(name, loaded.checks)}")
    return loaded.checks[name]


def _outcome_row(one: CheckBase, seen: Outcome, redact: Callable[[str], str]) -> dict[str, Any]:
    return {
        "name": one.name,
        "status": seen.status.value,
        "kind": seen.kind.value if seen.kind else None,
        "message": redact(seen.message),
        "latency_ms": seen.latency_ms,
        "code": seen.code,
    }


def _print_line(name: str, status: Status, message: str, latency_ms: float | None) -> None:
    sign, colour = SIGNS[status]
    click.echo(
        click.style(f"{sign} {status.value:<7}", fg=colour) + f" {name:<28} {format_ms(latency_ms):>8}  {message}"
    )


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print state.json.")
@click.pass_obj
def status(place: Place, as_json: bool) -> None:
    """Print what the running checker knows. Exit code 1 if a check fails or nobody looks."""
    now = Views(place).now()
    if now.snapshot is None:
        say_when_nobody_looks(now)
        sys.exit(1)
    if as_json:
        click.echo(place.state.read_text("utf-8"), nl=False)
    else:
        for entry in sorted(now.snapshot.checks.values(), key=lambda e: e.state.status.badness):
            since = format_duration(seconds_between(entry.state.since, utc_now()))
            flags = f" [{', '.join(entry.flag_names())}]" if entry.state.flags else ""
            _print_line(
                entry.name, entry.state.status, f"{entry.state.message} (for {since}){flags}", entry.state.latency_ms
            )
        for notice in now.snapshot.notices:
            click.secho(f"{notice.level}: {notice.text}", fg="red")
        for line in (line for notice in now.snapshot.notices for line in notice.more):
            click.echo(f"  {line}")
    is_blind = say_when_nobody_looks(now)
    failing = any(e.state.status is Status.FAIL for e in now.snapshot.checks.values())
    sys.exit(1 if failing or is_blind else 0)


@cli.command()
@click.pass_obj
def validate(place: Place) -> None:
    """Say whether the checks file holds, or everything that is wrong with it.

    Exit code 2 if it does not hold, 1 if it does and something in it can never work.
    """
    from monitor.channels import build_channels, remarks_on

    loaded = loaded_config(place)
    remarks = remarks_on(loaded, build_channels(loaded))
    for remark in remarks:
        word, colour = ("warning", "yellow") if remark.is_fault else ("note", None)
        click.secho(f"{place.config.name}:{remark.line}: {word}: {remark.text}", fg=colour, err=True)
    count, warnings = len(loaded.checks), sum(remark.is_fault for remark in remarks)
    held = f"holds: {count} check{'s' if count > 1 else ''}" if count else "holds no checks: nothing is watched"
    more = f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    click.echo(f"{place.config.name} {held}{more}.")
    sys.exit(1 if warnings else 0)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of the checks file, so that editors complete and check it."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema(by_alias=True)}
    click.echo(json.dumps(document, indent=2))


@cli.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.pass_obj
def demo(place: Place, port: int, host: str) -> None:
    """Run the demo service alone: something to watch and to break."""
    click.echo(f"The demo service's control panel is at http://{host}:{port}/. Ctrl-C ends it.")
    try:
        serve_forever(host, port, place.config.parent / ".last_job_id")
    except OSError as error:
        raise click.ClickException(str(error)) from error


@cli.command()
@click.argument("name")
@click.option("--lookback", default="1h", show_default=True, help="How far back to look, such as 30m or 6h.")
@click.option("--evidence", "show_evidence", is_flag=True, help="Print the evidence too.")
@click.pass_obj
def diagnose(place: Place, name: str, lookback: str, show_evidence: bool) -> None:
    """Explain why check NAME fails, with evidence: by a model where one is configured, else by rules."""
    from monitor.diagnosis import diagnose as explain

    loaded = loaded_config(place)
    try:
        lookback_s = parse_duration(lookback)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--lookback") from error
    views = Views(place)
    known = views.known_subjects(lookback_s)
    if name not in known and name not in loaded.checks:
        raise click.UsageError(f"no check is called {name!r}{did_you_mean(name, [*loaded.checks, *known])}")
    evidence = views.evidence(name, lookback_s)
    if show_evidence:
        click.echo(evidence.as_text(loaded.environment.redactor()) + "\n")
    for piece in explain(evidence, loaded.config.diagnosis, loaded.environment, threading.Event()):
        click.echo(piece.text, nl=False)
    click.echo()


@cli.command()
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First UTC day. [default: the last 24 hours]")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last UTC day. [default: now]")
@click.option("--service", "services", multiple=True, help="Only this check; may be given more than once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def report(
    place: Place, start: datetime | None, end: datetime | None, services: tuple[str, ...], as_json: bool
) -> None:
    """Print how long each service was up, what happened, and what stands out."""
    from monitor.web.bodies import StatusReportBody
    from monitor.web.monitor_commands import NotFound, status_report

    body = StatusReportBody(
        start_date=start.date() if start else None,
        end_date=end.date() if end else None,
        services=list(services) or None,
    )
    try:
        made = status_report(Views(place), body)
    except NotFound as error:
        raise click.UsageError(str(error)) from error
    click.echo(json.dumps(made.to_json(), indent=2) if as_json else made.to_text(zone_of(Views(place))))
