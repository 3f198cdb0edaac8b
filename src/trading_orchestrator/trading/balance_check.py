"""The venue's balances against the sum of our trades: equal at some moment of the asking, or a difference."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from trading_orchestrator.brokers.port import Balance, Broker
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.money import ZERO, plain
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.positions.position import assets_of

log = logging.getLogger(__name__)
SETTLE_S = 0.5
"""How long a trade that the venue's balance already holds may be on its way to us."""
LOOKS = 5

Differences = dict[str, Decimal]


class BalanceCheck:
    """Compares what the venue holds with opening + trades − fees.

    While orders fill, the venue's answer is of one moment and our sums move: any of the sums we went through from
    the question until `SETTLE_S` after the answer may equal it.

    `held`: symbols that take no entries yet: the start's first look differed, and no look since has agreed, nor have
    two that differed alike decided.
    """

    def __init__(self, book: Book, broker: Broker, clock: Clock, symbols: Iterable[str]) -> None:
        self._book = book
        self._broker = broker
        self._clock = clock
        self._assets = sorted({asset for symbol in symbols for asset in assets_of(symbol)})
        self._watching: list[list[Differences]] = []
        self._moved_ns: int | None = None
        self.held: frozenset[str] = frozenset()

    def moved(self) -> None:
        """Note the sums as they are now; to be called after every booked trade."""
        self._moved_ns = self._clock.monotonic_ns()
        for sums in self._watching:
            sums.append(self._ours())

    def active_for_s(self, quiet_s: float) -> float:
        """Return how long the last trade may still explain a difference; 0: no longer."""
        if self._moved_ns is None:
            return 0.0
        return max(0.0, quiet_s - (self._clock.monotonic_ns() - self._moved_ns) / 1e9)

    async def differences(self) -> Differences:
        """Ask, and return venue minus ours per asset; empty when equal. Raises what the broker raises."""
        with self.watched() as sums:
            told = _totals(await self._broker.balances(), self._assets)
            for _ in range(LOOKS):
                least = _least(told, sums, self._book.unexplained)
                if not least or least == self._book.unexplained:
                    return least
                await self._clock.sleep(SETTLE_S / LOOKS)
            return _least(told, sums, self._book.unexplained)

    @contextmanager
    def watched(self) -> Iterator[Sequence[Differences]]:
        """Give every sum we go through while the block runs: to be entered before the venue is asked."""
        sums = [self._ours()]
        self._watching.append(sums)
        try:
            yield sums
        finally:
            # By identity: two looks under way hold equal sums until one of them hears of a trade.
            self._watching = [each for each in self._watching if each is not sums]

    def first_look(self, balances: Iterable[Balance], sums: Sequence[Differences], symbols: Iterable[str]) -> None:
        """Hold the symbols whose balances equal none of the sums since before the question."""
        seen = _least(_totals(balances, self._assets), sums, self._book.unexplained)
        if seen:
            log.info("balances differ at the first look: %s", "; ".join(in_words(seen)))
        self.held = _differing(symbols, seen)

    def looked(self, seen: Differences) -> None:
        """Let go of the symbols that add up now."""
        self.held = _differing(self.held, seen)

    async def explains(self, *, before_seq: int) -> bool:
        """Return whether nothing has moved the account that we do not know. Raises what the broker raises.

        Args:
            before_seq: a place in the desk's stream, which no clock moves; a difference (a deposit) may remain if two
                looks had agreed on it before. One that came later may be the very fill that is looked for, however
                often it was seen since.
        """
        seen = await self.differences()
        return not seen or (seen == self._book.unexplained and self._book.unexplained_seq < before_seq)

    def _ours(self) -> Differences:
        balances = self._book.balances()
        return {asset: balances.get(asset, ZERO) for asset in self._assets}


def in_words(differences: Differences) -> list[str]:
    """Return the differences as an operator reads them."""
    return [f"{asset}: the venue holds {plain(qty)} more than our trades" for asset, qty in differences.items()]


def _differing(symbols: Iterable[str], seen: Differences) -> frozenset[str]:
    return frozenset(symbol for symbol in symbols if not seen.keys().isdisjoint(assets_of(symbol)))


def _least(told: Differences, sums: Iterable[Differences], settled: Differences) -> Differences:
    """Return the difference to a sum that explains what was told, else to the last one."""
    least: Differences = {}
    for ours in sums:
        least = _minus(told, ours)
        if not least or least == settled:
            break
    return least


def _totals(balances: Iterable[Balance], assets: Iterable[str]) -> Differences:
    told = {balance.asset: balance.total for balance in balances}
    return {asset: told.get(asset, ZERO) for asset in assets}


def _minus(told: Differences, ours: Differences) -> Differences:
    return {asset: told[asset] - ours[asset] for asset in told if told[asset] != ours[asset]}
