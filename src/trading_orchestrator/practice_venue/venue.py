"""One venue: its parts wired, its sockets open, its end."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from trading_orchestrator.practice_venue.calls import Desk
from trading_orchestrator.practice_venue.control import Control
from trading_orchestrator.practice_venue.credentials import AccountKey, Credentials
from trading_orchestrator.practice_venue.exchange import Exchange, Fees, Listener
from trading_orchestrator.practice_venue.facts import Fact, VenueOpened
from trading_orchestrator.practice_venue.faults import Faults
from trading_orchestrator.practice_venue.front import Front
from trading_orchestrator.practice_venue.gateway import Gateway
from trading_orchestrator.practice_venue.instrument import Instrument
from trading_orchestrator.practice_venue.ledger import Ledger, Order
from trading_orchestrator.practice_venue.market import Market, Print
from trading_orchestrator.practice_venue.market_streams import MarketStreams
from trading_orchestrator.practice_venue.prices.liquidity import Liquidity
from trading_orchestrator.practice_venue.prices.path import Path as PricePath
from trading_orchestrator.practice_venue.prices.replay import Replay
from trading_orchestrator.practice_venue.user_streams import UserStreams
from trading_orchestrator.practice_venue.venue_log import VenueLog
from trading_orchestrator.practice_venue.weights import Weights

LOG_NAME = "venue.log.jsonl"


class VenueInUse(Exception):
    """Another venue runs on the data directory."""


class MarketGone(Exception):
    """The log has open orders on a symbol that the venue was not started with."""


@dataclass(frozen=True, slots=True)
class Account:
    key: AccountKey
    balances: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class MarketSource:
    instrument: Instrument
    path: PricePath


@dataclass(frozen=True, slots=True)
class VenueOptions:
    data_dir: Path
    host: str
    port: int
    control_port: int
    markets: Sequence[MarketSource]
    accounts: Sequence[Account]
    fees: Fees
    level_notional: Decimal
    speed: float | None
    seed: int
    weight_limit: int


@dataclass(frozen=True, slots=True)
class Ports:
    port: int
    control_port: int


class Broadcast(Listener):
    """Passes what happened on to the streams."""

    def __init__(self, market_streams: MarketStreams, user_streams: UserStreams) -> None:
        self._market_streams = market_streams
        self._user_streams = user_streams

    def on_fact(self, fact: Fact, order: Order | None) -> None:
        self._user_streams.on_fact(fact, order)

    def on_batch_logged(self) -> None:
        self._user_streams.on_batch_logged()

    def on_print(self, market: Market, trade: Print) -> None:
        self._market_streams.on_print(market, trade)

    def on_quote(self, market: Market) -> None:
        self._market_streams.on_quote(market)


class Venue:
    """Build it inside a running loop, then `open`, then `play` until cancelled, then `close`."""

    def __init__(self, options: VenueOptions, now_ms: Callable[[], int]) -> None:
        options.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock_fd = _locked(options.data_dir / "venue.lock")
        self._options = options
        self._log = VenueLog(options.data_dir / LOG_NAME)
        ledger, opened_ms = _folded(self._log)
        markets = [Market(source.instrument, update_id=now_ms()) for source in options.markets]
        _check_markets(ledger, markets)
        self._exchange = Exchange(ledger, self._log, markets, options.fees, now_ms)
        if opened_ms is None:
            opened_ms = now_ms()
            self._exchange.record(VenueOpened(seed=options.seed))
        for account in options.accounts:
            if account.key.account not in ledger.accounts:
                self._exchange.open_account(account.key.account, account.balances)
        self._replays = self._all_replays(markets, opened_ms, now_ms)
        faults = Faults(options.seed, asyncio.get_running_loop().time)
        credentials = Credentials([account.key for account in options.accounts], now_ms)
        desk = Desk(self._exchange, options.fees, now_ms, options.weight_limit, credentials.may_withdraw)
        gateway = Gateway(desk, credentials, faults, Weights(options.weight_limit, now_ms))
        market_streams = self._market_streams = MarketStreams(self._exchange, faults, now_ms)
        user_streams = UserStreams(self._exchange, gateway, faults)
        self._exchange.listener = Broadcast(market_streams, user_streams)
        control = Control(self._exchange, credentials, faults, self._replays, market_streams, user_streams)
        self._front = web.ServerRunner(web.Server(Front(gateway, market_streams, user_streams).handle, access_log=None))
        self._control = web.AppRunner(control.application(), access_log=None)

    async def open(self) -> Ports:
        """Fill the markets and listen. Raises OSError when a port is taken."""
        for replay in self._replays.values():
            replay.start()
        host = self._options.host
        return Ports(
            await _listen(self._front, host, self._options.port),
            await _listen(self._control, host, self._options.control_port),
        )

    async def play(self) -> None:
        async with asyncio.TaskGroup() as group:
            for replay in self._replays.values():
                group.create_task(replay.run())
            group.create_task(self._market_streams.tell_candles())

    def close(self) -> None:
        """Let go of the files; the sockets end with the process."""
        self._log.close()
        os.close(self._lock_fd)

    def _all_replays(self, markets: Sequence[Market], opened_ms: int, now_ms: Callable[[], int]) -> dict[str, Replay]:
        replays = {}
        for number, (source, market) in enumerate(zip(self._options.markets, markets, strict=True)):
            seed = self._options.seed + number
            liquidity = Liquidity(source.instrument, level_notional=self._options.level_notional, seed=seed)
            replays[source.instrument.symbol] = Replay(
                self._exchange,
                market,
                source.path,
                liquidity,
                speed=self._options.speed,
                opened_ms=opened_ms,
                now_ms=now_ms,
            )
        return replays


def _locked(path: Path) -> int:
    """Return the descriptor that holds the directory's lock until the process ends."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise VenueInUse(f"another venue runs on {path.parent}: stop it or give another --data-dir") from error
    return fd


def _folded(log: VenueLog) -> tuple[Ledger, int | None]:
    ledger = Ledger()
    opened_ms = None
    for fact in log.read():
        ledger.apply(fact)
        if isinstance(fact, VenueOpened):
            opened_ms = fact.at_ms
    return ledger, opened_ms


def _check_markets(ledger: Ledger, markets: Sequence[Market]) -> None:
    here = {market.instrument.symbol for market in markets}
    gone = {order.symbol for order in ledger.orders.values()} - here
    if gone:
        raise MarketGone(
            f"the log has orders on {', '.join(sorted(gone))}: start with these markets or a new --data-dir"
        )


async def _listen(runner: web.BaseRunner, host: str, port: int) -> int:
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound: int = runner.addresses[0][1]
    return bound
