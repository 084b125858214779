"""Commands about silences and maintenance: make one, end one, list them."""

from __future__ import annotations

import json
from datetime import datetime

import click

from monitor import commands
from monitor.cli.group import as_duration, as_time, carry_out, cli, loaded_config, who, zone_of
from monitor.config import Match, Place, misses
from monitor.model import Json
from monitor.silences import Silence, in_words
from monitor.units import to_rfc3339, utc_now
from monitor.views import Views


@cli.command()
@click.option("--name", multiple=True, help="A check's name or a pattern such as `shop-*`; more than once for any.")
@click.option("--group", multiple=True, help="A group, or a pattern.")
@click.option("--tag", multiple=True, help="A tag.")
@click.option("--severity", multiple=True, help="P1 to P4.")
@click.option("--owner", multiple=True, help="An owner, or a pattern.")
@click.option("--category", multiple=True, help="Such as DATABASE.")
@click.option("--type", multiple=True, help="A kind of check such as `http`, a type of alerts, or a pattern.")
@click.option("--for", "for_", help="How long, such as 30m or 4h.")
@click.option("--until", help="Until when, such as 2026-12-01T20:00:00Z.")
@click.option("--from", "from_", help="From when on. [default: now]")
@click.option("--until-resolved", help="Until this alert (an id, or a check's name) is over.")
@click.option("--maintenance", is_flag=True, help="Planned work: its time counts as maintenance, not as down.")
@click.option("--note", default="", help="Why; shown as the reason.")
@click.pass_obj
def silence(
    place: Place,
    /,
    for_: str | None,
    until: str | None,
    from_: str | None,
    until_resolved: str | None,
    maintenance: bool,
    note: str,
    **match: tuple[str, ...],
) -> None:
    """Have nobody told of what opens for whom the options mean. What is still open at its end is told then."""
    if bool(for_) + bool(until) + bool(until_resolved) != 1:
        raise click.UsageError("expected one of --for, --until and --until-resolved")
    begins_at = as_time(from_, "--from") if from_ else None
    ends_at = as_time(until, "--until") if until else None
    if for_:
        ends_at = (begins_at or utc_now()) + as_duration(for_, "--for")
    said: dict[str, Json] = {key: list(values) for key, values in match.items() if values}
    carry_out(
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
    carry_out(place, lambda: commands.end_silence(place, silence, who(), note))


@cli.command()
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def silences(place: Place, everything: bool, as_json: bool) -> None:
    """List silences and maintenance, of people and of the checks file: what holds now, then what comes."""
    views, now = Views(place), utc_now()
    known = [one for one in (*views.silences(), *views.planned()) if everything or not one.is_over(now)]
    known.sort(key=lambda one: (one.stretch(now) is None, one.is_over(now)))
    if as_json:
        click.echo(json.dumps([_row(one, now) for one in known], indent=2, ensure_ascii=False))
    for one in () if as_json else known:
        said = ", ".join(in_words(one, views.subjects().values(), now, zone_of(views)))
        click.echo(f"{one.id:<10}  {one.word:<11}  {one.match}: {said}")
    loaded_config(place)  # what an invalid file plans is not known: it is said, after what people made
    if not known and not as_json:
        click.echo("Nothing is silenced, and no maintenance is planned.")


def _row(one: Silence, now: datetime) -> dict[str, Json]:
    opens_at = one.opens_at(now)
    stretch = one.stretch(now) or (one.stretch(opens_at) if opens_at else None)
    ends_at = stretch.ends_at if stretch else one.over_at
    return {
        "id": one.id,
        "kind": one.word,
        "match": one.match.model_dump(mode="json", exclude_defaults=True),
        "holds": one.stretch(now) is not None,
        "begins_at": to_rfc3339(stretch.begins_at) if stretch else None,
        "ends_at": to_rfc3339(ends_at) if ends_at else None,
        "until_resolved": one.until_resolved or None,
        "planned": one.made_at is None,
        "by": one.by,
        "ended_by": one.ended_by or None,
        "note": one.note,
    }
