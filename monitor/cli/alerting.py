"""Commands about alerts: what is open, who has it, what is tried. Why somebody was told: see `why`."""

from __future__ import annotations

import json
import sys

import click

from monitor import commands
from monitor.alerts import Alert
from monitor.cli.group import (
    answer,
    as_duration,
    carry_out,
    checker_for_a_moment,
    cli,
    heading,
    say_when_nobody_looks,
    who,
    without_alert,
)
from monitor.config import Place
from monitor.model import Severity
from monitor.units import format_duration, seconds_between, to_rfc3339, utc_now
from monitor.views import Views


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
        applied = answer(place, lambda: commands.send_alert(place, name, level, message, channels, who()))
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
    """List open alerts, the worst first. Exit code 1 if one is open or nobody looks."""
    views = Views(place)
    found = sorted(views.alerts(), key=lambda alert: (not alert.is_open, alert.severity, alert.opened_at))
    is_open = any(alert.is_open for alert in found)
    found = [alert for alert in found if everything or alert.is_open]
    if as_json:
        click.echo(json.dumps([_row(alert) for alert in found], indent=2, ensure_ascii=False))
    for alert in () if as_json else found:
        lasted = format_duration(seconds_between(alert.opened_at, alert.resolved_at or utc_now()))
        has_it = f", taken by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        click.echo(f"{heading(alert)} ({lasted}{has_it})")
    now = views.now()
    if not found and not as_json and now.snapshot:
        none = "No alert was open when the checker last looked." if now.is_old else "No alert is open."
        click.echo("There was no alert yet." if everything else none)
    for entry in now.snapshot.checks.values() if now.snapshot and not as_json else ():
        if said := without_alert(entry):
            click.echo(said)
    is_blind = say_when_nobody_looks(now)
    sys.exit(1 if is_open or is_blind else 0)


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
    carry_out(place, lambda: commands.acknowledge(place, alert, who(), note))


@cli.command()
@click.argument("alert")
@click.option("--note", default="", help="What it was; shown when the same comes back.")
@click.pass_obj
def resolve(place: Place, alert: str, note: str) -> None:
    """End ALERT (an id, or a check's name); who was told of it is told."""
    carry_out(place, lambda: commands.resolve(place, alert, who(), note))


@cli.command()
@click.argument("alert")
@click.option("--for", "for_", required=True, help="How long, such as 30m or 4h.")
@click.option("--note", default="", help="Why.")
@click.pass_obj
def suppress(place: Place, alert: str, for_: str, note: str) -> None:
    """Have nobody told of ALERT (an id, or a check's name) for a time; it is told then if it is still open."""
    until = utc_now() + as_duration(for_, "--for")
    carry_out(place, lambda: commands.suppress(place, alert, until, who(), note))


@cli.command()
@click.argument("name")
@click.option("--number", default=1, show_default=True, type=click.IntRange(1), help="Which of its actions.")
@click.pass_obj
def remedy(place: Place, name: str, number: int) -> None:
    """Run a remedy of check NAME now. Its lock and budgets hold, its cool-down does not."""
    carry_out(place, lambda: commands.remedy(place, name, number - 1, who()))
