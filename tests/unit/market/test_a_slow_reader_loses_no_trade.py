"""A slow reader gets every trade and, of each symbol, only the newest quote."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.market.inbox import Inbox, MarketInbox
from trading_orchestrator.market.port import Quote, Trade


def quote(symbol: str, bid: int) -> Quote:
    return Quote(symbol, Decimal(bid), Decimal(1), Decimal(bid + 1), Decimal(1), 0, 0)


def trade(trade_id: str) -> Trade:
    return Trade("A/B", trade_id, Decimal(1), Decimal(1), 0, 0)


async def test_quotes_are_replaced_and_trades_are_kept_in_order() -> None:
    inbox = MarketInbox()
    for item in (
        trade("1"),
        quote("A/B", 1),
        trade("2"),
        quote("C/D", 5),
        quote("A/B", 2),
        trade("3"),
        quote("A/B", 3),
    ):
        inbox.put(item)
    inbox.end()

    assert [trade("1"), quote("A/B", 3), trade("2"), quote("C/D", 5), trade("3")] == [item async for item in inbox]


async def test_a_quick_reader_gets_each_quote() -> None:
    inbox = MarketInbox()
    reader = inbox.__aiter__()
    got = []
    for bid in (1, 2):
        inbox.put(quote("A/B", bid))
        got.append(await anext(reader))

    assert [quote("A/B", 1), quote("A/B", 2)] == got


async def test_a_bounded_inbox_gives_way_to_one_notice_and_goes_on() -> None:
    inbox: Inbox[str] = Inbox(most=3, instead=lambda: "poll")
    for item in "abcde":
        inbox.put(item)
    inbox.end()

    assert ["poll", "d", "e"] == [item async for item in inbox]


async def test_what_was_put_before_the_end_is_still_read() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("last")
    inbox.end()

    assert ["last"] == [item async for item in inbox]
