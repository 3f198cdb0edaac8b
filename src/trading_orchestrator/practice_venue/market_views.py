"""How quotes, depth, trades and candles look on the wire: Binance Spot's JSON objects.

Source: binance-spot-api-docs, rest-api.md and web-socket-streams.md.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from trading_orchestrator.practice_venue.candles import DAY_MS, Candle
from trading_orchestrator.practice_venue.facts import ZERO
from trading_orchestrator.practice_venue.market import Market, Print
from trading_orchestrator.practice_venue.views import Json, text

Levels = Iterable[tuple[Decimal, Decimal]]


def book_ticker_view(market: Market) -> Json:
    """GET /api/v3/ticker/bookTicker."""
    quote = market.quote()
    return {
        "symbol": market.instrument.symbol,
        "bidPrice": text(quote.bid),
        "bidQty": text(quote.bid_qty),
        "askPrice": text(quote.ask),
        "askQty": text(quote.ask_qty),
    }


def public_trade_view(trade: Print) -> Json:
    """GET /api/v3/trades."""
    return {
        "id": trade.trade_id,
        "price": text(trade.price),
        "qty": text(trade.qty),
        "quoteQty": text(trade.price * trade.qty),
        "time": trade.at_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def aggregate_trade_view(trade: Print) -> Json:
    """GET /api/v3/aggTrades: here every trade is an aggregate of its own."""
    return {
        "a": trade.trade_id,
        "p": text(trade.price),
        "q": text(trade.qty),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def trade_event(market: Market, trade: Print) -> Json:
    """<symbol>@trade."""
    return {
        "e": "trade",
        "E": trade.at_ms,
        "s": market.instrument.symbol,
        "t": trade.trade_id,
        "p": text(trade.price),
        "q": text(trade.qty),
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def quote_event(market: Market) -> Json:
    """<symbol>@bookTicker: Binance sends it without event name and time."""
    quote = market.quote()
    return {
        "u": market.update_id,
        "s": market.instrument.symbol,
        "b": text(quote.bid),
        "B": text(quote.bid_qty),
        "a": text(quote.ask),
        "A": text(quote.ask_qty),
    }


def levels_view(levels: Levels) -> list[list[str]]:
    return [[text(price), text(qty)] for price, qty in levels]


def depth_event(market: Market, first_id: int, bids: Levels, asks: Levels, at_ms: int) -> Json:
    """<symbol>@depth: the levels that changed since the last event; quantity 0 removes one."""
    return {
        "e": "depthUpdate",
        "E": at_ms,
        "s": market.instrument.symbol,
        "U": first_id,
        "u": market.update_id,
        "b": levels_view(bids),
        "a": levels_view(asks),
    }


def partial_depth_event(market: Market, levels: int) -> Json:
    """<symbol>@depth5, @depth10, @depth20: Binance sends it without event name, time and symbol."""
    return {
        "lastUpdateId": market.update_id,
        "bids": levels_view(market.depth("BUY", levels)),
        "asks": levels_view(market.depth("SELL", levels)),
    }


def candle_view(candle: Candle) -> list[Any]:
    """One row of GET /api/v3/klines."""
    prices = [text(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    taken = [text(candle.taker_buy_qty), text(candle.taker_buy_quote_qty)]
    volumes = [text(candle.qty), candle.closes_ms, text(candle.quote_qty), candle.trades, *taken]
    return [candle.opens_ms, *prices, *volumes, "0"]


def candle_event(symbol: str, interval: str, candle: Candle, *, at_ms: int, is_closed: bool) -> Json:
    """<symbol>@kline_<interval>."""
    return {
        "e": "kline",
        "E": at_ms,
        "s": symbol,
        "k": {
            "t": candle.opens_ms,
            "T": candle.closes_ms,
            "s": symbol,
            "i": interval,
            "f": candle.first_id,
            "L": candle.last_id,
            "o": text(candle.open),
            "c": text(candle.close),
            "h": text(candle.high),
            "l": text(candle.low),
            "v": text(candle.qty),
            "n": candle.trades,
            "x": is_closed,
            "q": text(candle.quote_qty),
            "V": text(candle.taker_buy_qty),
            "Q": text(candle.taker_buy_quote_qty),
            "B": "0",
        },
    }


def day_view(market: Market, minutes: Sequence[Candle], at_ms: int) -> Json:
    """GET /api/v3/ticker/24hr, from the minutes of the last 24 hours (to the minute, not to the second)."""
    quote = market.quote()
    opened = minutes[0].open if minutes else market.last_price
    qty = sum((minute.qty for minute in minutes), ZERO)
    quote_qty = sum((minute.quote_qty for minute in minutes), ZERO)
    change = market.last_price - opened
    traded = [minute for minute in minutes if minute.trades]
    return {
        "symbol": market.instrument.symbol,
        "priceChange": text(change),
        "priceChangePercent": f"{change / opened * 100 if opened else ZERO:.3f}",
        "weightedAvgPrice": text(quote_qty / qty if qty else market.last_price),
        "prevClosePrice": text(opened),
        "lastPrice": text(market.last_price),
        "lastQty": text(market.tape[-1].qty if market.tape else ZERO),
        "bidPrice": text(quote.bid),
        "bidQty": text(quote.bid_qty),
        "askPrice": text(quote.ask),
        "askQty": text(quote.ask_qty),
        "openPrice": text(opened),
        "highPrice": text(max((minute.high for minute in minutes), default=market.last_price)),
        "lowPrice": text(min((minute.low for minute in minutes), default=market.last_price)),
        "volume": text(qty),
        "quoteVolume": text(quote_qty),
        "openTime": at_ms - DAY_MS,
        "closeTime": at_ms,
        "firstId": traded[0].first_id if traded else -1,
        "lastId": traded[-1].last_id if traded else -1,
        "count": sum(minute.trades for minute in minutes),
    }
