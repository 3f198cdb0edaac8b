"""Finite liquidity around a tick: ten levels a side, decided by the seed and the tick."""

from decimal import Decimal

from trading_orchestrator.practice_venue.chance import mixed
from trading_orchestrator.practice_venue.instrument import Instrument
from trading_orchestrator.practice_venue.market import Level
from trading_orchestrator.practice_venue.prices.path import Tick

LEVELS = 10


class Liquidity:
    """Quantities vary between a half and one and a half of `level_notional`, so that partial fills happen."""

    def __init__(self, instrument: Instrument, *, level_notional: Decimal, seed: int) -> None:
        self._instrument = instrument
        self._level_notional = level_notional
        self._seed = seed

    def around(self, tick: Tick, index: int) -> dict[str, list[Level]]:
        """Return the levels of both sides, best first."""
        return {
            "BUY": self._side(tick.bid, -self._instrument.tick_size, tick.bid_qty, index, salt=0),
            "SELL": self._side(tick.ask, self._instrument.tick_size, tick.ask_qty, index, salt=1),
        }

    def traded_qty(self, tick: Tick, index: int) -> Decimal:
        """Return the quantity of the tick's trade: the recorded one, or a tenth of a level."""
        if tick.traded_qty is not None:
            return tick.traded_qty
        return self._qty(tick.traded_price * 10, index, salt=2)

    def _side(self, best: Decimal, step: Decimal, best_qty: Decimal | None, index: int, *, salt: int) -> list[Level]:
        levels = []
        for place in range(LEVELS):
            price = best + place * step
            if price <= 0:
                break
            recorded = best_qty if place == 0 else None
            qty = self._qty(price, index, salt=10 * place + salt) if recorded is None else recorded
            levels.append(Level(price, self._instrument.on_step(qty)))
        return levels

    def _qty(self, price: Decimal, index: int, *, salt: int) -> Decimal:
        share = Decimal(500 + mixed(self._seed, index, salt) % 1000) / 1000
        return max(self._instrument.on_step(self._level_notional * share / price), self._instrument.step_size)
