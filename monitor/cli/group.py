"""The group of commands, and what several of them need."""

from __future__ import annotations

import contextlib
import getpass
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from monitor import __version__
from monitor.checker import Checker, is_led
from monitor.config import ConfigError, LoadedConfig, Place, load_config
from monitor.views import Views


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


@contextlib.contextmanager
def checker_for_a_moment(place: Place) -> Iterator[None]:
    """Carry out commands here while no checker runs; a running one does it otherwise."""
    views = Views(place)
    if is_led(place.data):
        yield
        return
    with exit_when_invalid():
        views.file.read()
    checker = Checker(views.file, place.data, start_demo=False, deliver_only=True)
    checker.start()
    checker.ready.wait(10.0)
    try:
        yield
    finally:
        checker.stop()
