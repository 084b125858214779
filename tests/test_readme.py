"""README against the code: every key, command, route and variable stands in it as it is.

`make readme` (`python -m tests.test_readme`) writes the part about kinds of checks anew from their models.
"""

from __future__ import annotations

import inspect
import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.channels.table import ROWS
from monitor.cli import cli
from monitor.config import (
    CHECK_MODELS,
    ChannelBlock,
    CheckBase,
    DiagnosisBlock,
    Environment,
    HttpCheck,
    Match,
    Place,
    models,
    parse_config,
)
from monitor.config.alerting import EscalationBlock, Hours, InsteadBlock, MaintenanceBlock, OnCallBlock, RouteBlock
from monitor.config.explain import keys_of
from monitor.config.fields import Block
from monitor.config.otherwords import key_hint, type_hint
from monitor.config.remedies import ACTION_MODELS, Action, OnFail
from monitor.config.ruleblock import RuleBlock
from monitor.views import Views
from monitor.web import Operator, make_routes

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS: dict[str, tuple[type[BaseModel], set[str]]] = {
    "The file": (models.Config, set()),
    "`global:`": (models.General, set()),
    "`global.thresholds:`": (models.Thresholds, set()),
    "Every check": (CheckBase, set()),
    "`vantage:`": (models.VantageBlock, set()),
    "`channels:`": (ChannelBlock, set()),
    "`diagnosis:`": (DiagnosisBlock, set()),
}
# What is written from the models like the kinds, with their prose: heading and model.
TOLD: dict[str, type[Block]] = {
    "`routes:`": RouteBlock,
    "`routes.escalate:`": EscalationBlock,
    "`hours:` and `quiet:`": Hours,
    "`match:`": Match,
    "`on_call:`": OnCallBlock,
    "`on_call.instead:`": InsteadBlock,
    "`maintenance:`": MaintenanceBlock,
    "`rules:`": RuleBlock,
    "`on_fail:`": OnFail,
    "`on_fail.actions:`": Action,
    **{f"`on_fail.actions:` of `type: {kind}`": model for kind, model in ACTION_MODELS.items()},
}
TOLD_BEGIN = "<!-- who is told: written by `make readme` from the models -->\n"
TOLD_END = "<!-- end of who is told -->\n"
BEGIN = "<!-- kinds: written by `make readme` from the models -->\n"
END = "<!-- end of kinds -->\n"
# What the example of a group is made of.
MEMBERS = "".join(f"- {{name: {name}, type: ssh, host: {name}, tags: [storefront]}}\n" for name in "abc")
TABLE = "| key | default | meaning |\n|---|---|---|"
# The keys of every check that a reader looks for first, `at` beside the `every` in whose place it stands.
FIRST = ("type", "name", "group", "tags", "severity", "category", "every", "at", "days", "timezone")


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if (
        value is None
        or value == ""
        or isinstance(value, BaseModel)
        or (not value and not isinstance(value, (bool, int)))
    ):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def rows(model: type[BaseModel], left_out: set[str]) -> list[str]:
    names = dict.fromkeys([*(FIRST if model is CheckBase else ()), *model.model_fields])
    return [row(name, model.model_fields[name]) for name in names if name not in left_out]


def row(name: str, field: FieldInfo) -> str:
    return f"| `{field.alias or name}` | {default(field)} | {field.description} |"


def in_order(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields as a reader expects them: required ones, those of the model's own body, those of its bases."""
    bodies = [vars(base).get("__annotations__", {}) for base in model.__mro__]
    names = dict.fromkeys(name for body in bodies for name in body if name in model.model_fields)
    return {
        name: model.model_fields[name] for name in sorted(names, key=lambda n: not model.model_fields[n].is_required())
    }


def blocks_in(annotation: object) -> list[type[Block]]:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return [annotation]
    return [block for part in typing.get_args(annotation) for block in blocks_in(part)]


def prose(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "")


def own_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a block; of a check without those that every check has in the same words."""
    if not issubclass(model, CheckBase):
        http = {name: field.description for name, field in HttpCheck.model_fields.items()}
        shared = {name for name, field in model.model_fields.items() if field.description == http.get(name)}
        # A step has what an http check has; its table need not say all of it again.
        return {n: f for n, f in in_order(model).items() if n not in shared or len(shared) < len(http) // 2}
    common = {name: field.description for name, field in CheckBase.model_fields.items()}
    return {
        name: field
        for name, field in in_order(model).items()
        if name != "type" and (name not in common or field.description != common[name])
    }


def section(title: str, model: type[BaseModel], example: str = "") -> str:
    parts = [f"### {title}", prose(model)]
    if example:
        parts.append(f"```yaml\n{example}```")
    parts.append("\n".join([TABLE, *(row(name, field) for name, field in own_fields(model).items())]))
    return "\n\n".join(parts)


def kinds_section() -> str:
    """Return the generated part of README: a table of kinds, each kind, and the blocks that their keys hold."""
    first = {kind: prose(model).split("\n\n")[0].replace("\n", " ") for kind, model in CHECK_MODELS.items()}
    summary = "\n".join(
        ["| type | what it does |", "|---|---|", *(f"| `{kind}` | {text} |" for kind, text in first.items())]
    )
    parts = [summary, *(section(f"`type: {kind}`", model, model.example) for kind, model in CHECK_MODELS.items())]
    seen: dict[type[Block], str] = {}
    queue: list[type[Block]] = list(CHECK_MODELS.values())
    while queue:
        model = queue.pop(0)
        for name, field in own_fields(model).items():
            for block in blocks_in(field.annotation):
                if block not in seen:
                    seen[block] = name
                    queue.append(block)
    parts += [section(f"`{name}:`", block) for block, name in seen.items()]
    return "\n\n".join(parts) + "\n"


def told_section() -> str:
    """Return the generated part about who is told and what is tried; an action's table leaves out what all have."""
    parts = []
    for heading, model in TOLD.items():
        common = {name: field.description for name, field in Action.model_fields.items()} if model is not Action else {}
        fields = {n: f for n, f in in_order(model).items() if n != "type" or model is Action}
        own = [row(n, f) for n, f in fields.items() if common.get(n) != f.description]
        parts.append("\n\n".join(filter(None, (f"### {heading}", prose(model), "\n".join([TABLE, *own])))))
    return "\n\n".join(parts) + "\n"


def test_the_part_about_who_is_told_is_what_the_models_say() -> None:
    assert README.split(TOLD_BEGIN)[1].split(TOLD_END)[0] == told_section(), "run: make readme"


@pytest.mark.parametrize("block", BLOCKS)
def test_every_key_stands_in_its_table(block: str) -> None:
    for row in rows(*BLOCKS[block]):
        assert row in README


def test_the_part_about_kinds_is_what_the_models_say() -> None:
    assert README.split(BEGIN)[1].split(END)[0] == kinds_section(), "run: make readme"


@pytest.mark.parametrize("model", [CheckBase, *CHECK_MODELS.values()])
def test_required_keys_stand_first_in_their_table(model: type[CheckBase]) -> None:
    table = rows(model, set()) if model is CheckBase else [row(*item) for item in own_fields(model).items()]
    are_required = ["| required |" in line for line in table]

    assert are_required == sorted(are_required, reverse=True)


def test_every_kind_has_an_example_that_is_one_valid_check_of_it() -> None:
    for kind, model in CHECK_MODELS.items():
        text = f"checks:\n{model.example}{MEMBERS if kind == 'group' else ''}"
        checks = parse_config(text, Path("checks.yaml"), Environment()).config.checks
        assert [check.type for check in checks if "storefront" not in check.tags] == [kind]


def test_every_table_row_of_a_key_is_one_of_the_code() -> None:
    known = {row for block in BLOCKS.values() for row in rows(*block)}
    by_hand = README.split(BEGIN)[0] + README.split(END)[1]
    by_hand = by_hand.split(TOLD_BEGIN)[0] + by_hand.split(TOLD_END)[1]
    tables = re.findall(r"\| key \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", by_hand)
    assert len(tables) == len(BLOCKS)
    assert {line for table in tables for line in table.splitlines()} == known


def test_the_words_of_other_monitors_are_those_that_the_hints_know() -> None:
    table = README.split("| Uptime Kuma | Gatus | blackbox_exporter | here |\n")[1].split("\n\n")[0]
    rows = [[re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    assert len(rows) > 10
    for *theirs, ours in rows:
        for column in theirs:
            for index, word in enumerate(column):
                # Several types in a row stand for as many of ours, in the same order.
                type_, kind = word.removeprefix("type: "), ours[index % len(ours)].removeprefix("type: ")
                hint = type_hint(type_, CHECK_MODELS) if type_ != word else key_hint(word, [kind.partition(":")[0]])
                assert hint == f" (did you mean {kind!r}?)", (word, kind)
    keys = {key for model in CHECK_MODELS.values() for key in keys_of(model)}
    assert {ours[0].partition(":")[0] for *_, ours in rows} - {"type"} <= keys


def test_every_command_of_the_command_line_is_described() -> None:
    for name, command in cli.commands.items():
        assert f"`{name}" in README, name
        for parameter in command.params:
            for option in (o for o in parameter.opts if o.startswith("--")):
                assert option in README, (name, option)


def test_every_route_is_described() -> None:
    for route in make_routes(Views(Place.of()), Operator()):
        path = route.path.removesuffix("{path:path}")
        assert path in README, path


def test_every_variable_that_the_code_reads_is_described() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "monitor").rglob("*.py"))
    read = set(
        re.findall(
            r'"((?:SMTP|MAIL|TELEGRAM|SLACK|DISCORD|TEAMS|WEBHOOK|OPENAI|MONITOR|GREENWALL|ALERT|EMAIL|SENDGRID|TWILIO'
            r'|PAGERDUTY|OPSGENIE|ALERTMANAGER|NTFY|PUSHOVER|GOTIFY|MATRIX|SENTRY)_[A-Z_]+)"',
            source,
        )
    )
    assert {"SMTP_HOST", "OPENAI_API_KEY", "MONITOR_PASSWORD"} <= read
    for name in read:
        assert f"`{name}`" in README, name


def test_every_built_in_channel_is_described() -> None:
    for row in ROWS:
        assert f"| `{row.type}` |" in README


def test_the_first_check_of_the_readme_is_valid() -> None:
    for example in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        text = example if "checks:" in example else f"checks:\n{example}{MEMBERS if 'members_tag' in example else ''}"
        environment = Environment(
            {"DB_HOST": "x", "SHOP_TOKEN": "secret", "OPS_SLACK": "https://hooks.slack.com/services/T/B/x"}
        )
        parse_config(text, Path("checks.yaml"), environment)


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def written_anew(readme: str) -> str:
    """Return README with the tables of keys and the part about kinds as the models are now."""
    for heading, (model, left_out) in BLOCKS.items():
        before, heading_line, after = readme.partition(f"### {heading}\n")
        assert heading_line, f"README has no heading {heading!r}"
        start = after.index(TABLE)
        end = after.index("\n\n", start)
        readme = before + heading_line + after[:start] + "\n".join([TABLE, *rows(model, left_out)]) + after[end:]
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    readme = before + BEGIN + kinds_section() + END + after
    before, after = readme.split(TOLD_BEGIN)[0], readme.split(TOLD_END)[1]
    return before + TOLD_BEGIN + told_section() + TOLD_END + after


if __name__ == "__main__":
    (ROOT / "README.md").write_text(written_anew(README), "utf-8")
