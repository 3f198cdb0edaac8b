"""ccxt rounds by changing the process's decimal context: ours must be the same before and after."""

from __future__ import annotations

import decimal
from decimal import Decimal

from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.kernel.clock import SystemClock


async def test_a_call_leaves_the_rounding_as_it_was() -> None:
    client = CcxtClient(CcxtConfig(), clock=SystemClock())

    async def ask() -> str:
        from ccxt.base.decimal_to_precision import DECIMAL_PLACES, ROUND, decimal_to_precision

        return str(decimal_to_precision("0.125", ROUND, 2, DECIMAL_PLACES))

    assert "0.13" == await client.call("a question", ask)
    assert decimal.ROUND_HALF_EVEN == decimal.getcontext().rounding
    assert Decimal("0.12") == Decimal("0.125").quantize(Decimal("0.01"))
