"""Commands about alerts: what is open, who has it, who is told; silences; channels and what they say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import click

from monitor import commands
from monitor.alerts import Alert
from monitor.cli.group import checker_for_a_moment, cli, loaded_config, who
from monitor.config import Match, Place
from monitor.history.snapshot import Applied
from monitor.model import Severity
from monitor.silences import misses
from monitor.units import format_duration, from_rfc3339, parse_duration, seconds_between, to_rfc3339, utc_now
from monitor.views import Views

FORMATS = ("subject", "text", "html", "short")


@cli.command()
@click.argument("name")
@click.option("--severity", default="P3", show_default=True, help="P1 to P4, or critical, high, medium, low.")
@click.option("--message", required=True, help="What to say.")
@click.option("--channel", "channels", multiple=True, help="A channel's name; may be given more than once.")
@click.pass_obj
def alert(place: Place, name: str, severity: str, message: str, channels: tuple[str, ...]) -> None:
    """Send an alert about NAME by hand, and print each channel's receipt. Exit code 1 if none took it."""
    from monitor.web.monitor_commands import wait_for_receipts

    try:
        level = Severity.parse(severity)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--severity") from error
    with checker_for_a_moment(place):
        identifier = commands.send_alert(place, name, level, message, channels, who())
        applied = commands.outcome(place, identifier, timeout_s=10.0)
        if applied is None:
            raise click.ClickException("no checker took the alert in time; it waits in the inbox for the next one")
        if not applied.ok or applied.alert is None:
            raise click.UsageError(applied.detail)
        receipts = wait_for_receipts(Views(place), applied.alert)
    for receipt in receipts:
        click.echo(f"{receipt['channel']}: {receipt['status']}{': ' + receipt['detail'] if receipt['detail'] else ''}")
    sys.exit(0 if any(receipt["status"] == "sent" for receipt in receipts) else 1)


@cli.command()
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def alerts(place: Place, everything: bool, as_json: bool) -> None:
    """List open alerts, the worst first. Exit code 1 if one is open."""
    found = sorted(Views(place).alerts(), key=lambda alert: (not alert.is_open, alert.severity, alert.opened_at))
    is_open = any(alert.is_open for alert in found)
    found = [alert for alert in found if everything or alert.is_open]
    if as_json:
        click.echo(json.dumps([_row(alert) for alert in found], indent=2, ensure_ascii=False))
    for alert in () if as_json else found:
        lasted = format_duration(seconds_between(alert.opened_at, alert.resolved_at or utc_now()))
        has_it = f", taken by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        click.echo(f"{alert.id}  {alert.severity.value} {alert.status.value:<12} {alert.title} ({lasted}{has_it})")
    if not found and not as_json:
        click.echo("No alert is open." if not everything else "There was no alert yet.")
    sys.exit(1 if is_open else 0)


def _row(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id,
        "status": alert.status.value,
        "severity": alert.severity.value,
        "resource": alert.resource,
        "title": alert.title,
        "message": alert.message,
        "count": alert.count,
        "opened_at": to_rfc3339(alert.opened_at),
        "resolved_at": to_rfc3339(alert.resolved_at) if alert.resolved_at else None,
        "acknowledged_by": alert.acknowledged_by or None,
    }


@cli.command()
@click.argument("alert")
@click.option("--note", default="", help="What you found, or do.")
@click.pass_obj
def acknowledge(place: Place, alert: str, note: str) -> None:
    """Say that you have ALERT (an id, or a check's name): reminders and escalations end."""
    _do(place, lambda: commands.acknowledge(place, alert, who(), note))


@cli.command()
@click.argument("alert")
@click.option("--note", default="", help="What it was; shown when the same comes back.")
@click.pass_obj
def resolve(place: Place, alert: str, note: str) -> None:
    """End ALERT (an id, or a check's name); who was told of it is told."""
    _do(place, lambda: commands.resolve(place, alert, who(), note))


@cli.command()
@click.argument("alert")
@click.option("--for", "for_", required=True, help="How long, such as 30m or 4h.")
@click.option("--note", default="", help="Why.")
@click.pass_obj
def suppress(place: Place, alert: str, for_: str, note: str) -> None:
    """Have nobody told of ALERT (an id, or a check's name) for a time; it is told then if it is still open."""
    until = utc_now() + _duration(for_, "--for")
    _do(place, lambda: commands.suppress(place, alert, until, who(), note))


@cli.command()
@click.option("--name", multiple=True, help="A check's name or a pattern such as `shop-*`; more than once for any.")
@click.option("--group", multiple=True, help="A group, or a pattern.")
@click.option("--tag", multiple=True, help="A tag.")
@click.option("--severity", multiple=True, help="P1 to P4.")
@click.option("--for", "for_", help="How long, such as 30m or 4h.")
@click.option("--until", help="Until when, such as 2026-12-01T20:00:00Z.")
@click.option("--from", "from_", help="From when on. [default: now]")
@click.option("--until-resolved", help="Until this alert is over.")
@click.option("--maintenance", is_flag=True, help="Planned work: its time counts as maintenance, not as down.")
@click.option("--note", default="", help="Why; shown as the reason.")
@click.pass_obj
def silence(
    place: Place,
    name: tuple[str, ...],
    group: tuple[str, ...],
    tag: tuple[str, ...],
    severity: tuple[str, ...],
    for_: str | None,
    until: str | None,
    from_: str | None,
    until_resolved: str | None,
    maintenance: bool,
    note: str,
) -> None:
    """Have nobody told of what opens for whom the options mean. What is still open at its end is told then."""
    if bool(for_) + bool(until) + bool(until_resolved) != 1:
        raise click.UsageError("expected one of --for, --until and --until-resolved")
    begins_at = _time(from_, "--from") if from_ else None
    ends_at = _time(until, "--until") if until else None
    if for_:
        ends_at = (begins_at or utc_now()) + _duration(for_, "--for")
    match = {"name": name, "group": group, "tag": tag, "severity": severity}
    said = {key: list(values) for key, values in match.items() if values}
    _do(
        place,
        lambda: commands.silence(place, said, ends_at, who(), note, begins_at, until_resolved or "", maintenance),
    )
    for miss in misses(Match.model_validate(said), Views(place).meant()):
        click.secho(f"Warning: {miss}", fg="yellow", err=True)


@cli.command("end-silence")
@click.argument("silence")
@click.option("--note", default="", help="Why.")
@click.pass_obj
def end_silence(place: Place, silence: str, note: str) -> None:
    """End SILENCE (its id) before its time."""
    _do(place, lambda: commands.end_silence(place, silence, who(), note))


@cli.command()
@click.argument("name")
@click.option("--number", default=1, show_default=True, type=click.IntRange(1), help="Which of its actions.")
@click.pass_obj
def remedy(place: Place, name: str, number: int) -> None:
    """Run a remedy of check NAME now. Its lock and budgets hold, its cool-down does not."""
    _do(place, lambda: commands.remedy(place, name, number - 1, who()))


@cli.command("test-channel")
@click.argument("channel")
@click.pass_obj
def test_channel(place: Place, channel: str) -> None:
    """Send a test message over CHANNEL, and print its receipt. Exit code 1 if it was not taken."""
    _do(place, lambda: commands.test_channel(place, channel, who()), timeout_s=25.0)


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


def _do(place: Place, leave: Callable[[], str], timeout_s: float = 10.0) -> Applied:
    """Carry a command out, here when no checker runs; print what became of it."""
    with checker_for_a_moment(place):
        applied = commands.outcome(place, leave(), timeout_s)
    if applied is None:
        raise click.ClickException("no checker took the command in time; it waits in the inbox for the next one")
    if not applied.ok:
        raise click.ClickException(applied.detail)
    click.echo(applied.detail)
    return applied


def _duration(text: str, option: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _time(text: str, option: str) -> datetime:
    try:
        return from_rfc3339(text)
    except ValueError as error:
        expected = f"expected a time such as 2026-12-01T20:00:00Z, got {text!r}"
        raise click.BadParameter(expected, param_hint=option) from error
