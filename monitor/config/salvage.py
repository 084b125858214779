"""What of an invalid file can be related all the same, so that its wrong names are said together with the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr, ValidationError

from monitor.config.checkbase import CheckBase
from monitor.config.kinds import CHECK_MODELS, GroupCheck
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.config.models import Config, General, VantageBlock
from monitor.config.ruleblock import RuleBlock
from monitor.config.values import texts

_ASKED_OF = ("name", "condition", "value", "threshold", "match")


def what_holds(values: dict[str, Any]) -> Config:
    """Return what of an invalid file can be related: its valid checks, and stand-ins with the names of the others."""
    written = values.get("checks")
    # With an item that is no block, places in the values and places among the checks would differ.
    is_whole = isinstance(written, list) and all(isinstance(item, dict) for item in written)
    checks: Any = tuple(_check_or_stand_in(item) for item in written) if is_whole and written else ()
    return Config.model_construct(
        general=_general(values.get("global")),
        vantage=_vantage(values.get("vantage")),
        rules=tuple(_rules(values.get("rules"))),
        checks=checks,
    )


def _general(written: object) -> General:
    """Return what of it holds: one wrong key must not make what the others allow look forbidden."""
    keys = dict(written) if isinstance(written, dict) else {}
    try:
        return General.model_validate(keys)
    except ValidationError as error:
        wrong = {one["loc"][0] for one in error.errors() if one["loc"]}
    try:
        return General.model_validate({key: value for key, value in keys.items() if key not in wrong})
    except ValidationError:
        return General()


def _rules(written: object) -> Iterator[RuleBlock]:
    """Yield rules that hold as far as what they ask of whom goes."""
    for one in written if isinstance(written, list) else []:
        with contextlib.suppress(ValidationError):
            keys = _ASKED_OF if isinstance(one, dict) else ()
            yield RuleBlock.model_validate({key: one[key] for key in keys if key in one})


def _vantage(written: object) -> VantageBlock | None:
    try:
        return VantageBlock.model_validate(written)
    except ValidationError:
        return None


def _check_or_stand_in(values: dict[str, Any]) -> CheckBase:
    model = CHECK_MODELS.get(str(values.get("type")), CheckBase)
    try:
        return model.model_validate(values)
    except ValidationError:
        # A group that is wrong in itself is not looked into.
        stand_in = CheckBase if model is GroupCheck else model
        known: dict[str, Any] = {key: values[key] for key in ("name", "group") if isinstance(values.get(key), str)}
        lists = {key: tuple(texts(values.get(key))) for key in ("tags", "depends_on", "channels")}
        if model is HeartbeatCheck and isinstance(values.get("key"), str):
            known["key"] = SecretStr(values["key"])
        return stand_in.model_construct(**{"name": "", "type": str(values.get("type"))} | known | lists)
