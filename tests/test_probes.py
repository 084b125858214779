"""What holds for all probes: a fault is ours, everything can be sent to another process, no type is without one."""

import logging
import multiprocessing
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import CHECK_MODELS, CheckBase, HttpCheck
from monitor.model import Finding, Kind, Outcome, Status
from monitor.probes import PROBES, Setting, probe_of, run_probe
from tests.servers import Peer, answer

SETTING = Setting(Path("conf"), "Asia/Kolkata")
# Where nobody listens, and no packet leaves the machine for it.
NOWHERE = "127.0.0.1:1"
ADDRESSES: dict[str, Any] = {"host": "127.0.0.1", "port": 1, "resolver": NOWHERE, "url": f"http://{NOWHERE}/"}


def check_of(kind: str, **more: Any) -> CheckBase:
    (example,) = yaml.safe_load(CHECK_MODELS[kind].example)
    return CHECK_MODELS[kind].model_validate(example | more)


def sent_nowhere(value: Any) -> Any:
    """Return keys of a check with every address in them one of this machine at which nobody listens."""
    if isinstance(value, dict):
        return {
            key: ADDRESSES[key] if key in ("host", "port", "resolver") else sent_nowhere(value[key]) for key in value
        }
    if isinstance(value, list):
        return [sent_nowhere(item) for item in value]
    return re.sub(r"(?<=://)([^/?#\s]*@)?[^/?#\s]+", rf"\g<1>{NOWHERE}", value) if isinstance(value, str) else value


def check_of_nowhere(kind: str, **more: Any) -> CheckBase:
    """Return the example of a kind, with no address in it but those of this machine at which nobody listens.

    Keys for addresses that the example leaves to their defaults are named, too: an outside service is one.
    """
    model = CHECK_MODELS[kind]
    (example,) = yaml.safe_load(model.example)
    other_source = {"file"} & set(example)
    defaults = {} if other_source else {key: ADDRESSES[key] for key in ADDRESSES if key in model.model_fields}
    return model.model_validate(defaults | sent_nowhere(example | more))


def broken(check: CheckBase, setting: Setting) -> Outcome:
    raise RuntimeError("a bug\nwith \x1b[31mcolours\x1b[0m and " + "a long text " * 100)


def test_every_type_of_check_has_a_probe_and_an_example() -> None:
    assert PROBES.keys() == CHECK_MODELS.keys()
    for kind in CHECK_MODELS:
        assert callable(probe_of(kind))
        assert check_of(kind).target, kind


def test_a_probe_that_raises_is_unknown_and_internal_with_the_traceback_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(PROBES, "http", "tests.test_probes:broken")
    with caplog.at_level(logging.ERROR):
        seen = run_probe(check_of("http"), SETTING)
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.INTERNAL)
    assert seen.message.startswith("Greenwall could not run this check: RuntimeError: a bug with")
    assert seen.message.isprintable()
    assert len(seen.message) < 400
    assert "probe of shop broke" in caplog.text
    assert "Traceback" in caplog.text
    assert "in broken" in caplog.text


def test_a_type_without_a_probe_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(PROBES, "host")
    assert run_probe(check_of("host"), SETTING).kind is Kind.INTERNAL


@pytest.mark.parametrize("kind", CHECK_MODELS)
def test_a_check_and_what_its_probe_saw_survive_pickling(kind: str, tmp_path: Path) -> None:
    check, setting = check_of_nowhere(kind), Setting(tmp_path)
    again = pickle.loads(pickle.dumps(check))
    assert again == check
    # Which keys the file named decides on `equals: null`.
    assert again.model_fields_set == check.model_fields_set
    seen = run_probe(check, setting)
    assert pickle.loads(pickle.dumps(seen)) == seen


def test_a_rule_that_wants_null_still_wants_it_after_pickling() -> None:
    rule = {"path": "$.v", "equals": None}
    check = pickle.loads(pickle.dumps(check_of("http", expect_jsonpath=[rule])))
    assert isinstance(check, HttpCheck)
    assert check.expect_jsonpath[0].limits == {"equals": None}


def test_a_setting_and_an_outcome_with_findings_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(SETTING)) == SETTING
    outcome = Outcome(
        status=Status.FAIL,
        kind=Kind.CONTENT,
        message="x",
        latency_ms=1.5,
        phases_ms={"dns": 0.1},
        code=500,
        findings=(Finding("$.v", "1", "2"),),
        observed={"body": "…", "top": ["a"]},
    )
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_a_probe_runs_in_another_process() -> None:
    with Peer(answer('{"v": 1}')) as peer:
        rule = {"path": "$.v", "equals": None}
        check = check_of("http", url=peer.url, expect_jsonpath=[rule])
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            seen = pool.submit(run_probe, check, SETTING).result(60)
    assert (seen.status, seen.kind, seen.code) == (Status.FAIL, Kind.CONTENT, 200)
    assert seen.findings == (Finding("$.v", "null", "1"),)
