"""Who can be told: the configuration's routes, rotas and channels as `telling` and the lanes want them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.alerts import LAST_RESORT, Alert, Joining, Muted, Route, Step, Way, World
from monitor.channels import Channel, default_route
from monitor.config import LoadedConfig, RouteBlock


@dataclass(frozen=True)
class Whom:
    """What is configured about telling: the world for `telling`, ways and joining for the lanes."""

    world: World
    ways: Mapping[str, Way]
    joining: Mapping[str, Joining]

    @classmethod
    def of(
        cls,
        loaded: LoadedConfig,
        channels: Mapping[str, Channel],
        muted: Callable[[Alert, datetime], Muted | None],
        open_of: Callable[[str], Iterable[Alert]],
    ) -> Whom:
        config = loaded.config
        timezone = config.general.timezone
        rotas = {block.name: block for block in config.on_call}
        plans = {name: block.plan(timezone) for name, block in rotas.items()}

        def people(name: str, now: datetime) -> tuple[str, ...]:
            return rotas[name].people[plans[name].person(now)] if name in rotas else (name,)

        def named(alert: Alert) -> tuple[str, ...] | None:
            check = loaded.checks.get(alert.resource) if alert.source == "check" else None
            return check.channels if check else alert.channels

        world = World(
            routes=tuple(_route(block, timezone) for block in config.routes),
            people=people,
            muted=muted,
            open_of=open_of,
            why_not=lambda name, alert: _why_not(channels.get(name), alert),
            keeps_incidents=lambda name: name in channels and channels[name].wants_acknowledged,
            has=lambda name: name in channels,
            named=named,
            fallback=default_route(channels, None),
        )
        joining = {block.name: Joining(block.group_wait, block.group_interval) for block in config.routes}
        return cls(world, _ways(loaded, channels), joining)


def _why_not(channel: Channel | None, alert: Alert) -> str:
    if channel is None:
        return "no such channel any more"
    if not channel.configured:
        return channel.problem
    if channel.severities and alert.severity not in channel.severities:
        return f"takes {', '.join(channel.severities)} only"
    return ""


def _route(block: RouteBlock, timezone: str) -> Route:
    return Route(
        name=block.name,
        channels=block.channels,
        covers=block.match.covers,
        hours=tuple(one.window(timezone) for one in block.hours),
        group_by=block.group_by,
        repeat_s=block.repeat_interval,
        steps=tuple(
            Step(step.after, step.channels, tuple(one.window(timezone) for one in step.hours))
            for step in block.escalate
        ),
        quiet=tuple(one.window(timezone) for one in block.quiet),
        loud=block.loud,
        goes_on=block.goes_on,
    )


def _ways(loaded: LoadedConfig, channels: Mapping[str, Channel]) -> dict[str, Way]:
    blocks = {block.name: block for block in loaded.config.channels}
    ways = {}
    for name, channel in channels.items():
        block = blocks.get(name)
        fallback = (block.fallback if block else None) or LAST_RESORT
        per_hour = block.per_hour if block else None
        ways[name] = Way(channel.problem, channel.joins, per_hour, fallback, tuple(channel.severities))
    return ways
