"""Commands about who is told and how: channels, who is on call, what messages say."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from monitor import commands
from monitor.cli.group import answer, checker_for_a_moment, cli, loaded_config, who
from monitor.config import Place
from monitor.oncall import together
from monitor.units import local, utc_now
from monitor.views import Views

FORMATS = ("subject", "text", "html", "short")
WEEKS = 4


@cli.command("test-channel")
@click.argument("channel")
@click.pass_obj
def test_channel(place: Place, channel: str) -> None:
    """Send a test over CHANNEL, or to whoever a rota has on call; print receipts. Exit code 1 if one was not taken."""
    names = _channels_of(place, channel)
    with checker_for_a_moment(place):
        taken = [_test(place, name) for name in names]
    sys.exit(0 if all(taken) else 1)


def _channels_of(place: Place, name: str) -> tuple[str, ...]:
    """Return the channel itself or, of a rota, the channels of whoever is on call now, and say who that is."""
    loaded = Views(place).config()
    rota = next((one for one in loaded.config.on_call if one.name == name), None) if loaded else None
    if loaded is None or rota is None:
        return (name,)
    person = rota.plan(loaded.config.general.timezone).person(utc_now())
    click.echo(f"{person} is on call for {name}.")
    return rota.people[person]


def _test(place: Place, channel: str) -> bool:
    applied = answer(place, lambda: commands.test_channel(place, channel, who()), timeout_s=25.0)
    click.echo(applied.detail if applied.ok else f"Error: {applied.detail}", err=not applied.ok)
    return applied.ok


@cli.command("on-call")
@click.pass_obj
def on_call(place: Place) -> None:
    """Print who is on call now, over which channels, and the shifts of the next four weeks."""
    loaded = loaded_config(place)
    zone, now = loaded.config.general.timezone, utc_now()
    for block in loaded.config.on_call:
        shifts = together(block.plan(zone).shifts(now, now + timedelta(weeks=WEEKS)))
        until = f", until {local(shifts[0].stretch.ends_at, zone)}" if len(shifts) > 1 else ""
        person = shifts[0].person
        click.echo(f"{block.name}: {person} ({', '.join(block.people[person])}){until}")
        for one in shifts[1:]:
            click.echo(f"  {one.stretch.span(zone)}  {one.person}{' stands in' if one.is_exception else ''}")
    if loaded.config.on_call:
        click.echo(f"Times in {zone}.")
    else:
        click.echo(f"Nobody is on call: {place.config.name} has no `on_call:`. README shows how.")


@cli.command()
@click.pass_obj
def channels(place: Place) -> None:
    """List channels, those that are not configured too, with what they lack."""
    from monitor.channels import build_channels

    for name, channel in build_channels(loaded_config(place)).items():
        click.echo(f"{'✓' if channel.configured else '-'} {name:<16} {channel.type:<12} {channel.problem}".rstrip())


@cli.command()
@click.option("--alert", "identifier", help="The id of an alert. [default: a made-up one]")
@click.option("--event", default="", help="What is told: first_fail, recovered, reminder-1, … [default: as it is]")
@click.option(
    "--count", default=1, show_default=True, type=click.IntRange(1, 500), help="Made-up alerts in one message."
)
@click.option("--format", "format_", default="text", show_default=True, type=click.Choice(FORMATS), help="Which form.")
@click.pass_obj
def message(place: Place, identifier: str | None, event: str, count: int, format_: str) -> None:
    """Print a message as channels get it, by the templates in use. Nothing is sent."""
    from monitor.channels import Letterhead, preview, read_templates, sample, told_of

    loaded, now = loaded_config(place), utc_now()
    templates, problems = read_templates(loaded.folder)
    for problem in problems:
        click.secho(problem, fg="red", err=True)
    general = loaded.config.general
    letterhead = Letterhead(general.wall_url, general.timezone, templates)
    told = sample(now, event or "first_fail", count)
    if identifier:
        found = Views(place).alert(identifier)
        if found is None:
            raise click.UsageError(f"no alert has the id {identifier!r}")
        told = told_of(found, event)
    click.echo(preview(told, letterhead, now)[format_])
    sys.exit(1 if problems else 0)
