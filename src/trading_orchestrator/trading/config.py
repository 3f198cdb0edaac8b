"""What the config says of a desk: its account, its symbols, its strategies, its limits, its patience."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from trading_orchestrator.kernel.bounds import Seconds, UpToAMinute
from trading_orchestrator.trading.book import SNAPSHOT_EVERY_FACTS
from trading_orchestrator.trading.risk.limits import RiskLimits

UpToHalfAMinute = Annotated[float, msgspec.Meta(gt=0, le=30)]


class StrategyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One strategy of a desk.

    `name`: unique within the desk and stable for ever: it is part of every intent id and of the saved state.
    `class`: import path `package.module:Class`. `params`: the fields of its Params.
    `enabled`: False keeps it in the file but off the desk. `critical`: False lets it open nothing new while CPU, event
    loop or memory of its node are short, as the last thing that is given up; its exits and cancels go on.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")]
    class_: str = msgspec.field(name="class")
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    enabled: bool = True
    critical: bool = True


class DeskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One broker account with the strategies that trade on it.

    `symbols`: spot markets; a derivative (`BTC/USDT:USDT`) is refused.
    `broker`: name of the broker's section. `account`: goes into every client order id; default the broker's name, so
    two desks never share an account by accident.

    Why the defaults:
    `grace_s` 60: how long a venue may still turn up an order after it could no longer accept it (replica lag measured
    in the field is seconds; a minute costs only patience, because the exposure stays reserved). Practice venue: 2.
    `quarantine_s` 300: how long an order may stay UNKNOWN before its symbol takes no new entries and a human is paged;
    longer than the restart of a venue's gateway, shorter than anyone should wait to hear of it.
    `ask_first_s` 0.2, `ask_longest_s` 30: pace of questions for an unknown order, quick first, kind to rate limits.
    `poll_orders_s` 15 (at most 30), `poll_trades_s` 15 (at most 60): single frames get lost while heartbeats go on;
    both cost one request each.
    `poll_overlap_s` 5: trades younger than this are asked for again: one with a lower id may still turn up.
    `compare_s` 60 (at most): balances against the sum of trades.
    `quiet_s` 5: activity this recent may explain a difference, so it is looked at again instead of reported.
    `clock_offset_every_s` 20: a standby measures the venue's clock this often, so that a takeover need not wait for it;
    a crystal drifts 1 ms in that time, and the connection stays warm.
    `clock_offset_limit_s` 0.5: half a validity window of one second; beyond it the venue would refuse our requests.
    `emergency_cancel_after_s` 5: how long the journal may take nothing before all of ours that rests is canceled.
    A lock or a slow disk is over by then; an order that nobody may decide about should not rest for much longer.
    `snapshot_every_facts` 2000: a start-up folds at most this many facts beyond the snapshot, about 0.1 s.
    `bars_kept` 500: closed bars held in memory per symbol and length, for `warm_up`.
    `resume_when_key_works` false: a desk whose key the venue refused (−2015) waits for `desk resume`: somebody may have
    revoked it to stop us. True: once the venue answers questions again it reconciles and goes on by itself.
    `isolation` shared: desks share the trading node; "process" gives this one a node of its own (80 MB), so that no
    other desk's strategy can hold it up. The console's node stands by for it either way.
    `nice` 0, `cpu_max_ratio` 0: of that node: how far it yields to others, and its share of one core at most (0: all).
    """

    broker: str
    symbols: Annotated[list[str], msgspec.Meta(min_length=1)]
    strategies: list[StrategyConfig] = msgspec.field(default_factory=list)
    risk: RiskLimits = msgspec.field(default_factory=RiskLimits)
    account: str = ""
    grace_s: Seconds = 60.0
    quarantine_s: Seconds = 300.0
    ask_first_s: Seconds = 0.2
    ask_longest_s: Seconds = 30.0
    poll_orders_s: UpToHalfAMinute = 15.0
    poll_trades_s: UpToAMinute = 15.0
    poll_overlap_s: Seconds = 5.0
    compare_s: UpToAMinute = 60.0
    quiet_s: Seconds = 5.0
    clock_offset_every_s: Seconds = 20.0
    clock_offset_limit_s: Seconds = 0.5
    emergency_cancel_after_s: Seconds = 5.0
    snapshot_every_facts: Annotated[int, msgspec.Meta(ge=1)] = SNAPSHOT_EVERY_FACTS
    bars_kept: Annotated[int, msgspec.Meta(ge=1)] = 500
    resume_when_key_works: bool = False
    isolation: Literal["shared", "process"] = "shared"
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0
    cpu_max_ratio: Annotated[float, msgspec.Meta(ge=0, le=1024)] = 0.0

    def __post_init__(self) -> None:
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError(f"symbols: expected each once, was {', '.join(self.symbols)}")
        for symbol in self.symbols:
            if ":" in symbol:
                raise ValueError(
                    f"symbols: expected spot markets only, was {symbol}: trades are checked against balances, "
                    "and a derivative's position is in none"
                )
        if self.isolation == "shared" and (self.nice or self.cpu_max_ratio):
            raise ValueError(
                'nice and cpu_max_ratio are of a node of its own: expected isolation = "process" with them'
            )

    @property
    def account_name(self) -> str:
        return self.account or self.broker
