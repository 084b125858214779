"""Kinds of check: one model, one file each. A new kind is a model, a member of the union, a row in `probes.PROBES`."""

from __future__ import annotations

import typing
from typing import Annotated

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.kinds.host import HostCheck
from monitor.config.kinds.http import HttpCheck
from monitor.config.kinds.job import JobCheck

AnyCheck = HttpCheck | JobCheck | HostCheck
Check = Annotated[AnyCheck, Field(discriminator="type")]
CHECK_MODELS: dict[str, type[CheckBase]] = {
    typing.get_args(model.model_fields["type"].annotation)[0]: model for model in typing.get_args(AnyCheck)
}

__all__ = ["CHECK_MODELS", "AnyCheck", "Check", "HostCheck", "HttpCheck", "JobCheck"]
