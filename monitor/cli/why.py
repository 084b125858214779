"""`why`: who was told of an alert, who was not and for which reason, and what happened; what holds one back."""

from __future__ import annotations

from collections.abc import Iterator

import click

from monitor import timeline
from monitor.alerts import Alert
from monitor.cli.group import cli, heading, say_when_nobody_looks, without_alert, zone_of
from monitor.config import Place
from monitor.units import did_you_mean, local, plain, short
from monitor.views import Views

_LONGEST = 1000


@cli.command()
@click.argument("alert")
@click.pass_obj
def why(place: Place, alert: str) -> None:
    """Print why people were told of ALERT (an id, or a check's name) or were not, and what happened."""
    views = Views(place)
    alerts = views.alerts()
    of_name = sorted((one for one in alerts if one.resource == alert), key=lambda one: not one.is_open)
    found = views.alert(alert) or next(iter(of_name), None)
    names = {*views.subjects(), *(one.resource for one in alerts)}
    if found is None and alert not in names:
        raise click.UsageError(f"no alert has the id, and no check the name, {alert!r}{did_you_mean(alert, names)}")
    zone = zone_of(views)
    for line in _of_alert(views, found, zone) if found else [f"{alert} has had no alert."]:
        click.echo(line)
    for line in [] if found and found.is_open else _held_back(views, found.resource if found else alert, found, zone):
        click.echo(line)
    if not found or found.is_open:
        say_when_nobody_looks(views.now())


def _of_alert(views: Views, alert: Alert, zone: str) -> Iterator[str]:
    snapshot = views.now().snapshot
    yield heading(alert)
    yield plain(alert.message, _LONGEST)
    yield "\nWhy was I told, or not?"
    channels = snapshot.channels if snapshot else ()
    told = timeline.told(alert, channels, views.joined, lambda at: short(at, zone), views.limit)
    width = max((len(one.channel) for one in told), default=0)
    for one in told:
        when = short(one.at, zone) if one.at else ""
        yield f"  {one.sign} {one.channel:<{width}}  {when:<19}  {plain(f'{one.what}: {one.outcome}', _LONGEST)}"
    yield "\nWhat happened"
    held = timeline.held_before(alert, views.held(alert.resource), views.alerts())
    for line in timeline.story(alert, held, lambda at: short(at, zone)):
        until = f" until {short(line.until, zone)}" if line.until else ""
        by = f" ({line.by})" if line.by else ""
        yield f"  {short(line.at, zone)}{until}  {plain(line.what, _LONGEST)}{by}"
    yield f"\nTimes in {zone}."


def _held_back(views: Views, name: str, last: Alert | None, zone: str) -> Iterator[str]:
    """Yield why the check has no alert now, though it may fail."""
    snapshot, held = views.now().snapshot, views.held(name)
    entry = snapshot.checks.get(name) if snapshot else None
    if entry and (said := without_alert(entry)):
        yield said
    elif held and not (last and last.opened_at > held.at):
        yield f"Last held back at {local(held.at, zone)}: {plain(held.note, _LONGEST)}."
    if quiet := views.quiet(name):
        yield f"Until {local(quiet.until, zone)} nobody is told of what opens: {quiet.reason}."
