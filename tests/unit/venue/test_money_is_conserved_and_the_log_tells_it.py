"""Whatever is ordered, canceled and moved: balances add up, and the log alone gives the same ledger."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.venue.conftest import ACCOUNTS, Bench
from trading_orchestrator.practice_venue.ledger import Ledger
from trading_orchestrator.practice_venue.refusals import VenueRefusal

prices = st.integers(900, 1100).map(lambda cents: str(Decimal(cents) / 100))
quantities = st.integers(1, 400).map(lambda tenths: str(Decimal(tenths) / 10))
placing = st.tuples(
    st.just("place"),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(["BUY", "SELL"]),
    quantities,
    st.one_of(st.just("0"), prices),
    st.sampled_from(["GTC", "IOC", "FOK"]),
)
canceling = st.tuples(st.just("cancel"), st.integers(0, 50))
moving = st.tuples(st.just("move"), prices, quantities)
steps = st.lists(st.one_of(placing, placing, canceling, moving), max_size=60)


@given(steps)
def test_balances_add_up_after_every_step(walk: list[tuple[str, ...]]) -> None:
    bench = Bench()

    for step in walk:
        take(bench, step)

        for account in ACCOUNTS:
            check_account(bench.ledger, account)


@given(steps)
def test_the_log_alone_gives_the_same_ledger(walk: list[tuple[str, ...]]) -> None:
    bench = Bench()
    for step in walk:
        take(bench, step)

    refolded = bench.log.refolded()

    assert told(bench.ledger) == told(refolded)


@given(steps)
def test_the_book_is_never_left_crossed(walk: list[tuple[str, ...]]) -> None:
    bench = Bench()

    for step in walk:
        take(bench, step)

        quote = bench.market.quote()
        assert not quote.bid or not quote.ask or quote.bid < quote.ask


def take(bench: Bench, step: tuple[str, ...]) -> None:
    """Do one step; a refusal is an answer like any other."""
    try:
        if step[0] == "place":
            _, account, side, qty, price, time_in_force = step
            bench.place(account, side, qty, price, time_in_force=time_in_force)
        elif step[0] == "cancel":
            order = bench.ledger.orders.get(int(step[1]))
            if order is not None:
                bench.exchange.cancel(order, cancel_id=None, sent_ms=None)
        else:
            ask = Decimal(step[1])
            bench.quotes([(str(ask - Decimal("0.02")), step[2])], [(str(ask), step[2]), (str(ask + 1), step[2])])
    except VenueRefusal:
        return


def check_account(ledger: Ledger, account: str) -> None:
    trades = ledger.trades_of(account, "XYZUSD")
    held = {"XYZ": Decimal(10_000), "USD": Decimal(10_000)}
    for trade in trades:
        sign = 1 if trade.side == "BUY" else -1
        held["XYZ"] += sign * trade.qty
        held["USD"] -= sign * trade.quote_qty
        held[trade.commission_asset] -= trade.commission
    for asset, expected in held.items():
        balance = ledger.balance(account, asset)
        locked = sum((o.locked for o in ledger.open_orders_of(account, None) if o.locked_asset == asset), Decimal(0))
        assert expected == balance.free + balance.locked
        assert locked == balance.locked
        assert balance.free >= 0


def told(ledger: Ledger) -> bytes:
    """Return all that the ledger would tell, as bytes."""
    trades = [ledger.trades_of(account, "XYZUSD") for account in ACCOUNTS]
    counters = (ledger.next_order_id, ledger.last_seq, ledger.last_at_ms)
    open_ids = sorted(order.order_id for order in ledger.open_orders.values())
    return msgspec.json.encode((ledger.accounts, list(ledger.orders.values()), trades, open_ids, counters))
