"""The venue's command line: options, the ready line, the end by signal or with the parent."""

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import uvloop

from trading_orchestrator.practice_venue.credentials import AccountKey
from trading_orchestrator.practice_venue.exchange import Fees
from trading_orchestrator.practice_venue.instrument import Instrument
from trading_orchestrator.practice_venue.prices.price_file import PricesUnreadable, read_prices
from trading_orchestrator.practice_venue.venue import (
    Account,
    MarketGone,
    MarketSource,
    Venue,
    VenueInUse,
    VenueOptions,
)
from trading_orchestrator.practice_venue.venue_log import LogCorrupt
from trading_orchestrator.practice_venue.wall_clock import read_ms

DEFAULT_ACCOUNT = "demo:demo-key:demo-secret:EUR=100000,USDT=100000"
DEFAULT_MARKET = "EUR/USDT"
LOOPBACK = "127.0.0.1"
PORT_MAX = 65535
SPEED_MAX = 1_000_000
STEP_SIZE_MAX, LEVEL_NOTIONAL_MAX = 1_000_000, 1_000_000_000
EPILOG = """
Prices are CSV with a header, or Parquet: time and open,high,low,close (bars), or bid,ask[,bid_qty,ask_qty] (quotes),
or price[,qty,buyer_is_maker] (trades). Without --prices: EURUSD hours of 2017, a bar in 12 seconds.
Everything the venue accepts stands in DATA_DIR/venue.log.jsonl, one JSON fact a line; starting again on
the same directory goes on where it stopped. The control port takes faults: POST /control/faults {"fault": "F1"}.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the venue until a signal comes. Returns 0, 1 when it failed, 2 for wrong use."""
    options = _parser().parse_args(argv)
    try:
        venue_options = _venue_options(options)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(venue_options, options))
    except (VenueInUse, MarketGone, LogCorrupt, PricesUnreadable, ValueError, OSError) as error:
        sys.stderr.write(f"practice venue: {error}\n")
        return 2 if isinstance(error, (ValueError, PricesUnreadable)) else 1


async def _run(venue_options: VenueOptions, options: argparse.Namespace) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if options.parent_fd is not None:
        loop.add_reader(options.parent_fd, _on_parent_pipe, options.parent_fd, ended)
    venue = Venue(venue_options, read_ms)
    gc.freeze()  # what was read from the log stays for good
    ports = await venue.open()
    _say_ready({"port": ports.port, "control_port": ports.control_port, "pid": os.getpid()}, options.ready_fd)
    playing = asyncio.create_task(venue.play())
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait((playing, waiting), return_when=asyncio.FIRST_COMPLETED)
    venue.close()
    if playing.done():
        playing.result()
    return 0


def _on_parent_pipe(fd: int, ended: asyncio.Event) -> None:
    if not os.read(fd, 4096):
        asyncio.get_running_loop().remove_reader(fd)
        ended.set()


def _say_ready(facts: dict[str, int], ready_fd: int | None) -> None:
    line = json.dumps(facts) + "\n"
    if ready_fd is None:
        sys.stdout.write(line)
        sys.stdout.flush()
    else:
        os.write(ready_fd, line.encode())
        os.close(ready_fd)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trading-orchestrator venue",
        description="A Binance-Spot-compatible exchange on loopback, for demos and tests.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, required=True, help="where the venue keeps its log; made when missing")
    add("--host", default=LOOPBACK, help=f"address to listen at: anybody who reaches it may trade (default {LOOPBACK})")
    add("--port", type=_port, default=0, help="REST and WebSocket port (default 0: a free one)")
    add("--control-port", type=_port, default=0, help="control port (default 0: a free one)")
    add("--prices", type=Path, help="CSV or Parquet with prices for the first market (default: EURUSD 2017)")
    add("--symbol", default=DEFAULT_MARKET, metavar="BASE/QUOTE", help=f"the first market (default {DEFAULT_MARKET})")
    add("--market", action="append", default=[], metavar="BASE/QUOTE=FILE", help="one more market; may be repeated")
    add("--step-size", type=_quantity, help="finest quantity (default: 0.1, finer when the prices are coarse)")
    add("--speed", type=float, help="market seconds per second (default: 300 for bars, 1 for quotes and trades)")
    add(
        "--account",
        action="append",
        metavar="NAME:KEY:SECRET:BALANCES",
        help=f"may be repeated (default {DEFAULT_ACCOUNT})",
    )
    add("--maker-fee", type=_share, default=Decimal("0.001"), help="share of what is received (default 0.001)")
    add("--taker-fee", type=_share, default=Decimal("0.001"), help="share of what is received (default 0.001)")
    add("--level-notional", type=_notional, default=Decimal(5000), help="mean value of a price level (default 5000)")
    add("--seed", type=int, default=1, help="decides quantities and random faults (default 1)")
    add("--weight-limit", type=int, default=0, help="request weight a minute; beyond it -1003 (default 0: none)")
    add("--json", action="store_true", help="changes nothing: the line that says it is ready is JSON always")
    add("--ready-fd", type=int, help='where to write {"port", "control_port", "pid"} (default: standard output)')
    add("--parent-fd", type=int, help="leave when this pipe closes")
    return parser


def _share(text: str) -> Decimal:
    number = _number(text)
    if number is None or not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to below 1, was {text!r}")
    return number


def _quantity(text: str) -> Decimal:
    return _above_0(text, STEP_SIZE_MAX)


def _notional(text: str) -> Decimal:
    return _above_0(text, LEVEL_NOTIONAL_MAX)


def _above_0(text: str, most: int) -> Decimal:
    number = _number(text)
    if number is None or not 0 < number <= most:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most {most:,}, was {text!r}")
    return number


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= PORT_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number from 0 to {PORT_MAX}, was {text!r}")


def _venue_options(options: argparse.Namespace) -> VenueOptions:
    if options.speed is not None and not 0 < options.speed <= SPEED_MAX:
        raise ValueError(f"expected --speed above 0 and at most {SPEED_MAX:,}, was {options.speed}")
    markets = [_market(options.symbol, options.prices, options.step_size)]
    for text in options.market:
        symbol, equals, file = text.partition("=")
        if not equals:
            raise ValueError(f"expected --market BASE/QUOTE=FILE, was {text!r}")
        markets.append(_market(symbol, Path(file), options.step_size))
    return VenueOptions(
        data_dir=options.data_dir,
        host=options.host,
        port=options.port,
        control_port=options.control_port,
        markets=markets,
        accounts=[_account(text) for text in options.account or [DEFAULT_ACCOUNT]],
        fees=Fees(options.maker_fee, options.taker_fee),
        level_notional=options.level_notional,
        speed=options.speed,
        seed=options.seed,
        weight_limit=options.weight_limit,
    )


def _market(symbol: str, prices: Path | None, step_size: Decimal | None) -> MarketSource:
    base, slash, quote = symbol.upper().partition("/")
    if not (base and slash and quote):
        raise ValueError(f"expected a market as BASE/QUOTE, was {symbol!r}")
    path = read_prices(prices)
    return MarketSource(Instrument(base, quote, path.tick_size, step_size or path.step_size), path)


def _account(text: str) -> Account:
    parts = text.split(":")
    try:
        name, key, secret, balances = parts
        held = {asset.upper(): Decimal(qty) for asset, _, qty in (pair.partition("=") for pair in balances.split(","))}
    except (ValueError, InvalidOperation) as error:
        raise ValueError(f"expected --account NAME:KEY:SECRET:EUR=1,USDT=1, was {text!r}") from error
    return Account(AccountKey(name, key, secret), held)
