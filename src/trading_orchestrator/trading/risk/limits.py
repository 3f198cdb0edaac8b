"""The limits every order must pass, and the refusal that names the one it did not."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.bounds import PositiveDecimal

Count = Annotated[int, msgspec.Meta(ge=1)]


class RiskLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a desk may do at most. Quantities are in the base asset, notionals in the quote asset.

    The defaults suit a first day on a small account: whoever needs more says so in the configuration,
    and whoever forgets to cannot lose much. None can be 0, endless or switched off but `max_daily_loss`:
    a desk that may send nothing is halted by `desk halt`.

    max_order_qty: one order. 10,000 units is a tenth of a lot of foreign exchange; set it per desk for
        assets whose unit is worth more (the notional limit holds either way).
    max_order_notional: one order's quantity times price; catches a quantity given in the wrong unit.
    max_position_qty: position plus everything that may yet fill on one side, in either direction.
    max_open_orders: orders not proved closed. A strategy that loses track stops here, far below any
        venue's own limit (Binance: 200 a symbol).
    price_collar_ratio: how far a limit price may lie beyond the opposite side of the book, as a share of
        it. 2 % is wide for liquid markets and stops a misplaced decimal point.
    max_orders_per_s: intents in any second. Binance allows 10 a second to an account; cancels need room too.
    max_daily_loss: at this loss since the day began, realized and unrealized, after fees, in the quote asset, the desk
        may only reduce and what rests is canceled. Off unless set: a sum that suits every account does not exist,
        and one that is too small stops a desk at an ordinary spread. A twentieth of the account is a usual choice.
    day_begins_h: the hour UTC at which the day begins; 0 is when crypto venues and their statements turn the day.
    """

    max_order_qty: PositiveDecimal = Decimal(10_000)
    max_order_notional: PositiveDecimal = Decimal(20_000)
    max_position_qty: PositiveDecimal = Decimal(50_000)
    max_open_orders: Count = 50
    price_collar_ratio: PositiveDecimal = Decimal("0.02")
    max_orders_per_s: Count = 8
    max_daily_loss: PositiveDecimal | None = None
    day_begins_h: Annotated[int, msgspec.Meta(ge=0, le=23)] = 0


class RiskRefused(Refused):
    """Our own limits refuse the order; nothing was sent. Facts: limit, and what it was measured against.

    `rule` is the stable code of the limit, e.g. "risk.max_order_qty".
    """

    code = "risk.refused"

    def __init__(self, rule: str, message: str, **facts: object) -> None:
        super().__init__(message, **facts)
        self.rule = rule
