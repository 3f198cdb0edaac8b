"""What a desk remembers of a strategy: its state, and how far into fills and bars that state reaches."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading_orchestrator.errors import Broken
from trading_orchestrator.trading.strategies.strategy import StrategyState


class Memory(msgspec.Struct, frozen=True):
    """The body that `strategy.saved` carries.

    `seq`: place in the desk's stream of the newest of its trades that `state` reflects. `bars`: per symbol, the
    close (UTC ns) of the newest bar it reflects. A successor hands over what came after: nothing twice, nothing never.
    """

    state: msgspec.Raw
    seq: int
    bars: dict[str, int]


def saved(state: StrategyState, seq: int, bars: Mapping[str, int]) -> msgspec.Raw:
    """Return the memory as it is journaled."""
    return msgspec.Raw(msgspec.json.encode(Memory(msgspec.Raw(msgspec.json.encode(state)), seq, dict(bars))))


def restored(raw: bytes | msgspec.Raw, strategy: str) -> Memory:
    """Return the memory that was journaled.

    Raises:
        Broken: it does not read back.
    """
    try:
        return msgspec.json.decode(raw, type=Memory)
    except msgspec.MsgspecError as error:
        raise Broken(f"strategy {strategy}: its saved memory does not read back: {error}", strategy=strategy) from error


def state_of(memory: Memory | None, kind: type[StrategyState], strategy: str) -> StrategyState:
    """Return the state as the strategy's own type; a fresh one when nothing was saved.

    Raises:
        Broken: the type changed so that what was saved no longer fits it. New fields need defaults.
    """
    if memory is None:
        return kind()
    try:
        return msgspec.json.decode(memory.state, type=kind)
    except msgspec.MsgspecError as error:
        raise Broken(
            f"strategy {strategy}: its saved state does not fit {kind.__name__} any more: {error}", strategy=strategy
        ) from error
