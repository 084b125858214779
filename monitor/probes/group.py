"""The `group` kind: nothing is probed, it is judged from what the checker knows of the members."""

from __future__ import annotations

from monitor.config import GroupCheck
from monitor.groups import judged
from monitor.model import Outcome
from monitor.probes.setting import Setting
from monitor.probes.verdict import unconfigured


def probe_group(check: GroupCheck, setting: Setting) -> Outcome:
    """Return the verdict on the members in `setting`; in a single run without a checker it is UNKNOWN."""
    if setting.members is None:
        return unconfigured("a group is judged by the running checker, which knows its members")
    return judged(check, setting.members)
