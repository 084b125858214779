"""The group of commands, and what several of them need."""

from __future__ import annotations

import contextlib
import getpass
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click

from monitor import __version__, commands
from monitor.alerts import Alert
from monitor.checker import Checker, is_led
from monitor.config import ConfigError, LoadedConfig, Place, load_config
from monitor.history.inbox import NotWritten
from monitor.history.snapshot import Applied, CheckEntry
from monitor.units import format_duration, from_rfc3339, parse_duration
from monitor.views import Now, Views


def main(prog_name: str = "greenwall") -> None:
    """Run the command line."""
    cli(prog_name=prog_name)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="greenwall")
@click.option("--config", type=click.Path(path_type=Path), help="The checks file. [default: checks.yaml]")
@click.option("--data", type=click.Path(path_type=Path), help="The data folder. [default: data beside the file]")
@click.option("-v", "--verbose", is_flag=True, help="Log every change of status and every command.")
@click.pass_context
def cli(context: click.Context, config: Path | None, data: Path | None, verbose: bool) -> None:
    """Greenwall watches services, shows them on a wall, tells the right person once, and says why it broke."""
    context.obj = Place.of(config, data)
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def loaded_config(place: Place) -> LoadedConfig:
    snapshot = Views(place).now().snapshot
    base = snapshot.checker.demo_url if snapshot else None
    with exit_when_invalid():
        loaded = load_config(place.config)
        if not (base and loaded.config.demo):
            return loaded
        # A running checker's demo may have had to take another port than the file says.
        return load_config(place.config, demo_url=base)


@contextlib.contextmanager
def exit_when_invalid() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        for line in error.errors:
            click.secho(line, fg="red", err=True)
        sys.exit(2)


def who() -> str:
    try:
        return f"cli {getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "cli"


def zone_of(views: Views) -> str:
    """Return the zone in which times are printed: the file's, or the checker's while the file is invalid."""
    loaded, snapshot = views.config(), views.now().snapshot
    if loaded:
        return loaded.config.general.timezone
    return snapshot.checker.timezone if snapshot else "UTC"


def say_when_nobody_looks(now: Now) -> bool:
    """Return whether no checker is at work, and say so beside what is printed: that is from then."""
    if now.snapshot is None:
        start = "start one with `streamlit run app.py` or `python -m monitor run`"
        click.echo(f"Error: {now.trouble}; {start}", err=True)
    elif now.is_old:
        click.secho(f"STALE: the checker's last heartbeat is {format_duration(now.age_s or 0)} old", fg="red", err=True)
    return now.snapshot is None or now.is_old


def heading(alert: Alert) -> str:
    return f"{alert.id}  {alert.severity.value} {alert.status.value:<12} {alert.title}"


def without_alert(entry: CheckEntry) -> str:
    """Return that a check fails, why it has no alert; empty when that is not so."""
    state = entry.state
    return f"{entry.name} fails without an alert: {state.note}." if state.is_down and state.note else ""


# ---- commands that the checker carries out


@contextlib.contextmanager
def checker_for_a_moment(place: Place) -> Iterator[None]:
    """Carry out commands here while no checker runs; a running one does it otherwise."""
    views = Views(place)
    with exit_when_unwritable(place):
        led = is_led(place.data)
    if led:
        yield
        return
    with exit_when_invalid():
        views.file.read()
    checker = Checker(views.file, place.data, start_demo=False, deliver_only=True)
    with exit_when_unwritable(place):
        checker.start()
    checker.ready.wait(10.0)
    try:
        yield
    finally:
        checker.stop()


@contextlib.contextmanager
def exit_when_unwritable(place: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = NotWritten(error.errno, error.strerror, error.filename or str(place.data))
        raise click.ClickException(str(said)) from error


def answer(place: Place, leave: Callable[[], str], timeout_s: float = 10.0) -> Applied:
    """Return what became of the command that `leave` leaves; it may have been refused."""
    with exit_when_unwritable(place):
        command = leave()
    applied = commands.outcome(place, command, timeout_s)
    if applied is None:
        raise click.ClickException("no checker took the command in time; it waits in the inbox for the next one")
    return applied


def carry_out(place: Place, leave: Callable[[], str]) -> None:
    """Have a command carried out, here when no checker runs; print what became of it."""
    with checker_for_a_moment(place):
        applied = answer(place, leave)
    if not applied.ok:
        raise click.ClickException(applied.detail)
    click.echo(applied.detail)


# ---- what options say


def as_duration(text: str, option: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def as_time(text: str, option: str) -> datetime:
    try:
        return from_rfc3339(text)
    except ValueError as error:
        expected = f"expected a time such as 2026-12-01T20:00:00Z, got {text!r}"
        raise click.BadParameter(expected, param_hint=option) from error
