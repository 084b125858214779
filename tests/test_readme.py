"""README against the code: every key, command, route and variable stands in it as it is.

`python -m tests.test_readme` prints the tables of keys, to be pasted when a model changes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.channels.table import ROWS
from monitor.cli import cli
from monitor.config import Place, models
from monitor.views import Views
from monitor.web import Operator, make_routes

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SHARED = set(models.CheckBase.model_fields) | {"type"}
BLOCKS: dict[str, tuple[type[BaseModel], set[str]]] = {
    "the file": (models.Config, set()),
    "global": (models.General, set()),
    "thresholds": (models.Thresholds, set()),
    "every check": (models.CheckBase, set()),
    "http": (models.HttpCheck, SHARED),
    "expect_jsonpath": (models.JsonRule, set()),
    "job": (models.JobCheck, SHARED),
    "host": (models.HostCheck, SHARED),
    "on_fail": (models.OnFail, set()),
    "http_post": (models.HttpPost, {"type"}),
    "channels": (models.ChannelBlock, set()),
    "diagnosis": (models.DiagnosisBlock, set()),
}


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


def rows(block: str) -> list[str]:
    model, left_out = BLOCKS[block]
    fields = ((name, field) for name, field in model.model_fields.items() if name not in left_out)
    return [f"| `{field.alias or name}` | {default(field)} | {field.description} |" for name, field in fields]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_key_stands_in_its_table(block: str) -> None:
    for row in rows(block):
        assert row in README


def test_every_table_row_of_a_key_is_one_of_the_code() -> None:
    known = {row for block in BLOCKS for row in rows(block)}
    tables = re.findall(r"\| key \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", README)
    assert len(tables) == len(BLOCKS)
    assert {line for table in tables for line in table.splitlines()} == known


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
            r'"((?:SMTP|MAIL|TELEGRAM|SLACK|DISCORD|TEAMS|WEBHOOK|OPENAI|MONITOR|GREENWALL|ALERT)_[A-Z_]+)"', source
        )
    )
    assert {"SMTP_HOST", "OPENAI_API_KEY", "MONITOR_PASSWORD"} <= read
    for name in read:
        assert f"`{name}`" in README, name


def test_every_built_in_channel_is_described() -> None:
    for row in ROWS:
        assert f"| `{row.type}` |" in README


def test_the_first_check_of_the_readme_is_valid() -> None:
    from monitor.config import Environment, parse_config

    for example in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        text = example if "checks:" in example else f"checks:\n{example}"
        environment = Environment(
            {"DB_HOST": "x", "SHOP_TOKEN": "secret", "OPS_SLACK": "https://hooks.slack.com/services/T/B/x"}
        )
        parse_config(text, Path("checks.yaml"), environment)


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


if __name__ == "__main__":
    for title in BLOCKS:
        print(f"\n{title}\n\n| key | default | meaning |\n|---|---|---|", *rows(title), sep="\n")
