"""The hash of a fact: the same for ever, and another one for every other fact."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from trading_orchestrator.storage.chain import ZERO_HASH, canonical_json, hash_of
from trading_orchestrator.storage.ports import Fact

FACT = Fact(7, "desk/paper", 3, 1_700_000_000_000_000_000, "n1", 2, "order.filled", b'{"qty":"1"}', ZERO_HASH, b"")


def test_the_hash_of_a_known_fact_never_changes() -> None:
    assert "3277b8fa94bac2835a639a4c372dddee68200c9627b9900b9db2129fe5824506" == hash_of(FACT).hex()


@pytest.mark.parametrize("field", [field for field in FACT.__struct_fields__ if field != "hash"])
def test_a_change_of_any_field_changes_the_hash(field: str) -> None:
    value = getattr(FACT, field)
    changed = value + 1 if isinstance(value, int) else value + "x" if isinstance(value, str) else b"\1" * 32

    assert hash_of(FACT) != hash_of(msgspec.structs.replace(FACT, **{field: changed}))


def test_characters_that_move_to_the_next_field_change_the_hash() -> None:
    moved = msgspec.structs.replace(FACT, stream="desk/pape", node="rn1")

    assert hash_of(FACT) != hash_of(moved)


def test_one_value_has_one_spelling() -> None:
    first = canonical_json({"b": Decimal("1.50"), "a": {"y": 1, "x": [True, None]}})
    second = canonical_json({"a": {"x": [True, None], "y": 1}, "b": Decimal("1.50")})

    assert b'{"a":{"x":[true,null],"y":1},"b":"1.50"}' == first == second
