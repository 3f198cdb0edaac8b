"""What facts and the wire hold of a quantity: its digits alone, the same however it was reckoned."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading_orchestrator.kernel.money import exact, plain

FINITE = st.decimals(allow_nan=False, allow_infinity=False)


@given(FINITE)
def test_it_reads_back_as_it_was(value: Decimal) -> None:
    assert value == exact(plain(value))


@given(FINITE)
def test_it_has_neither_exponent_nor_zeros_at_its_end(value: Decimal) -> None:
    text = plain(value)

    assert set() == set(text) - set("-.0123456789")
    assert "." not in text or text[-1] in "123456789"


@given(st.decimals(-1_000, 1_000, allow_nan=False, places=6), st.integers(0, 6))
def test_zeros_that_reckoning_leaves_do_not_show(value: Decimal, places: int) -> None:
    longer = value.quantize(Decimal(1).scaleb(-6 - places))

    assert plain(value) == plain(longer)
