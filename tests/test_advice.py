"""What the alert of a check says is to be done."""

from __future__ import annotations

from monitor.checker.advice import STEPS, advice_on
from monitor.config import CheckBase
from monitor.config.kinds.database import DatabaseCheck
from monitor.model import Kind, Status
from monitor.state import advance, unchecked
from tests.make import at, http_check, result


def database_check() -> CheckBase:
    return DatabaseCheck.model_validate(
        {"name": "orders", "type": "database", "url": "postgresql://gw@db.example/orders"}
    )


def advice(kind: Kind, **keys: object) -> str:
    state, _ = advance(unchecked(at(-1)), result(Status.FAIL, 0, kind=kind, message="it fails"))
    found = advice_on(http_check(**keys), state)
    assert 1 <= len(found) <= STEPS
    return "\n".join(found)


def test_it_names_the_address_that_is_asked_without_what_may_be_secret() -> None:
    said = advice(Kind.STATUS, url="http://ann:pa55@shop.example/orders?token=s3cret")

    assert "curl -sS -m 10 -i 'http://shop.example/orders?token=…'" in said
    assert "s3cret" not in said and "pa55" not in said


def test_the_name_of_a_check_is_no_unit_and_no_machine() -> None:
    assert "systemctl" not in advice(Kind.CONNECT, name="shop")


def test_what_answers_with_an_error_is_not_looked_for_by_ping() -> None:
    said = advice(Kind.STATUS, url="http://shop.example/orders")

    assert "ping" not in said and "ss -ltnp" not in said
    assert "read what it logged" in said


def test_no_query_is_advised_where_nothing_takes_the_connection() -> None:
    state, _ = advance(unchecked(at(-1)), result(Status.FAIL, 0, kind=Kind.CONNECT, message="Connection refused"))
    database = database_check()

    assert advice_on(database, state)[0].endswith("ss -ltnp")


def test_every_kind_of_failure_has_something_to_do() -> None:
    for kind in Kind:
        assert advice(kind)
