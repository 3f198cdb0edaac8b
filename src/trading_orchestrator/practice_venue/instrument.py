"""What is traded: one symbol with its Binance filters, and the checks they stand for."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from trading_orchestrator.practice_venue.refusals import filter_failed

ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A spot symbol; prices lie on `tick_size`, quantities on `step_size`."""

    base: str
    quote: str
    tick_size: Decimal
    step_size: Decimal
    min_notional: Decimal = Decimal(5)
    max_price: Decimal = Decimal(1_000_000)
    max_qty: Decimal = Decimal(9_000_000)

    def __post_init__(self) -> None:
        decimals = -(self.tick_size * self.step_size).normalize().as_tuple().exponent  # type: ignore[operator]
        if decimals > 8:  # Binance reports 8 decimals; a quote amount beyond them would be rounded away
            raise ValueError(f"expected tick size x step size to have at most 8 decimals, was {decimals}")

    @property
    def symbol(self) -> str:
        return self.base + self.quote

    def on_tick(self, price: Decimal) -> Decimal:
        return (price / self.tick_size).quantize(Decimal(1), ROUND_DOWN) * self.tick_size

    def on_step(self, qty: Decimal) -> Decimal:
        return (qty / self.step_size).quantize(Decimal(1), ROUND_DOWN) * self.step_size

    def check_price(self, price: Decimal) -> None:
        if not self.tick_size <= price <= self.max_price or price % self.tick_size:
            raise filter_failed("PRICE_FILTER")

    def check_qty(self, qty: Decimal) -> None:
        if not self.step_size <= qty <= self.max_qty or qty % self.step_size:
            raise filter_failed("LOT_SIZE")

    def check_notional(self, notional: Decimal) -> None:
        if notional < self.min_notional:
            raise filter_failed("NOTIONAL")

    def described(self) -> dict[str, Any]:
        """Return the symbol's entry of exchangeInfo."""
        return {
            "symbol": self.symbol,
            "status": "TRADING",
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(ORDER_TYPES),
            "icebergAllowed": False,
            "ocoAllowed": False,
            "otoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": False,
            "amendAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": self._filters(),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
        }

    def _filters(self) -> list[dict[str, Any]]:
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": f"{self.tick_size:.8f}",
                "maxPrice": f"{self.max_price:.8f}",
                "tickSize": f"{self.tick_size:.8f}",
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": f"{self.step_size:.8f}",
                "maxQty": f"{self.max_qty:.8f}",
                "stepSize": f"{self.step_size:.8f}",
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{self.min_notional:.8f}",
                "applyMinToMarket": True,
                "maxNotional": f"{self.max_price * self.max_qty:.8f}",
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
        ]
