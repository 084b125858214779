"""`type: group`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Many, Name
from monitor.model import Category


class GroupCheck(CheckBase):
    """Judge several checks as one: a service that is up while enough of its parts are.

    Members are named, or picked by a tag or by the group of cards they stand in; a group can be a member of another.
    Nothing is probed: it is judged from its members, on its schedule and whenever one of them changes. Members that
    are not enabled are left out; one that is paused, was not judged yet, or could not be judged, is UNKNOWN. After a
    start or an edit of the file it waits for the first verdicts of its members, for one interval at most.

    `mode: worst`: FAIL when any member is, else UNKNOWN when any is, else WARN when any is. `at_least: 3`: FAIL when
    fewer than three are up (OK or WARN) whatever the UNKNOWN ones may be, UNKNOWN when it depends on those, and WARN
    below `warn_below`. The kind of a failure is that of its worst member. Retries do not apply: the members' verdicts
    are confirmed already. Its alert is told to nobody while nobody is told of any member that fails: all are in
    maintenance, silenced, or held back, as by a parent.
    """

    example: ClassVar[str] = """\
- name: storefront
  type: group
  members_tag: storefront
  at_least: 2
  warn_below: 3
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY
    reaches_out: ClassVar[bool] = False
    is_computed: ClassVar[bool] = True

    type: Literal["group"]
    members: Many[Name] = Field((), description="names of the checks that it is made of")
    members_tag: str | None = Field(None, min_length=1, description="instead: every check that has this tag")
    members_group: Name | None = Field(None, description="instead: every check in this group of cards")
    mode: Literal["worst", "at_least"] = Field(
        "worst", description="`worst`: as bad as the worst member; `at_least`, which the key of that name implies"
    )
    at_least: Count | None = Field(None, ge=1, description="fewer members up is FAIL")
    warn_below: Count | None = Field(None, ge=1, description="beside `at_least`: fewer members up is WARN")

    @model_validator(mode="after")
    def _can_be_judged(self) -> GroupCheck:
        ways = [key for key in ("members", "members_tag", "members_group") if getattr(self, key)]
        if len(ways) != 1:
            got = " and ".join(ways) or "none"
            raise ValueError(f"expected one of members, members_tag or members_group, got {got}")
        if self.mode == "at_least" and self.at_least is None:
            raise ValueError("expected `at_least: N` beside mode: at_least, got none")
        if self.mode == "worst" and "mode" in self.model_fields_set and self.at_least is not None:
            raise ValueError(f"expected mode: at_least beside at_least: {self.at_least}, got mode: worst")
        if self.warn_below is not None and (self.at_least is None or self.warn_below <= self.at_least):
            raise ValueError(f"expected warn_below to be more than at_least, got {self.warn_below} and {self.at_least}")
        if len(set(self.members)) < len(self.members):
            raise ValueError(f"expected each member once, got {', '.join(self.members)}")
        return self

    @property
    def target(self) -> str:
        if self.members_tag:
            return f"checks with the tag {self.members_tag}"
        return f"checks in {self.members_group}" if self.members_group else ", ".join(self.members)
