"""The page escapes what it shows, computes profit exactly, and says what is wrong first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.console.page.desks import alarm
from trading_orchestrator.perpetual_operations.console.page.html import Html, tag
from trading_orchestrator.perpetual_operations.console.page.profit import profit_curve
from trading_orchestrator.perpetual_operations.console.page.words import ago, moment, number
from trading_orchestrator.perpetual_operations.console.verdict import judge
from trading_orchestrator.perpetual_operations.console.who_holds import LeaseLine, NodeLine
from trading_orchestrator.perpetual_operations.health.diagnosis import Finding
from trading_orchestrator.perpetual_operations.health.diagnosis import verdict as diagnosis
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth

FINE = HealthReport(1, HealthState.HEALTHY, "All well: journal.", (), ())
WATCHED = PartHealth("standby", HealthState.HEALTHY, "none was ready yet", (), (), 0.1, 1)


def node(name: str, state: str = "ready") -> NodeLine:
    return NodeLine(name, state, 1, "0.1.0", 1, ())


def lease(name: str, holder: str, state: str = "held") -> LeaseLine:
    return LeaseLine(name, holder, 1, state, 1, "first", 1.0)


def desk(name: str = "practice", *, state: str = "held", **row: Any) -> dict[str, Any]:
    return {"desk": name, "mode": "normal", "lease": lease(f"desk/{name}", "a", state), **row}


def test_what_a_strategy_or_venue_says_cannot_become_markup() -> None:
    said = tag("td", '<script>alert("1")</script>', title='" onclick="x')

    assert '<td title="&quot; onclick=&quot;x">&lt;script&gt;alert("1")&lt;/script&gt;</td>' == said
    assert "<p><b>kept</b></p>" == tag("p", Html("<b>kept</b>"))


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        ("-1234567.5", {}, "−1\u202f234\u202f567.5"),
        ("0.125", {"places": 2, "sign": True}, "+0.12"),
        ("1E+3", {}, "1\u202f000"),
        (None, {}, "–"),
        ("n/a", {}, "n/a"),
    ],
)
def test_numbers_are_spelled_in_full(value: object, options: dict[str, Any], text: str) -> None:
    assert text == number(value, **options)


def test_a_time_is_absolute_and_relative() -> None:
    said = moment(1_700_000_000_000_000_000, 1_700_000_061_000_000_000)

    assert "22:13:20" in said
    assert 'datetime="2023-11-14T22:13:20.000+00:00"' in said
    assert "1 min ago" in said
    assert ["0 s ago", "59 s ago", "2 h ago", "3 d ago"] == [ago(at) for at in (-5, 59.9, 7200, 3 * 86400 + 5)]


def trade(side: str, qty: str, px: str, fee: str = "0", fee_asset: str = "USDT") -> dict[str, Any]:
    return {"side": side, "last_qty": qty, "last_px": px, "fee": fee, "fee_asset": fee_asset, "at_ns": 1}


def test_profit_is_followed_back_through_the_fills() -> None:
    newest_first = [trade("sell", "50", "1.20", "0.06"), trade("buy", "100", "1.10", "0.11")]
    position = {"symbol": "EUR/USDT", "qty": "50", "cash_flow": "-50.00", "fees": {"USDT": "0.17"}}

    curve = profit_curve(position, newest_first)

    assert [Decimal("-0.11"), Decimal("9.83")] == [point.profit for point in curve]


trades = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.decimals("0.001", "1000", places=3),
        st.decimals("0.01", "50000", places=2),
        st.decimals("0", "5", places=4),
        st.sampled_from(["USDT", "EUR", "BNB"]),
    ),
    min_size=1,
    max_size=20,
)


@given(trades)
def test_the_curve_equals_the_profit_added_up_forwards(done: list[tuple[str, Decimal, Decimal, Decimal, str]]) -> None:
    qty = cash = fees = Decimal(0)
    forwards = []
    for side, last_qty, px, fee, asset in done:
        signed = last_qty if side == "buy" else -last_qty
        qty, cash = qty + signed - (fee if asset == "EUR" else 0), cash - signed * px
        fees += fee if asset == "USDT" else 0
        forwards.append(cash + qty * px - fees)
    position = {"symbol": "EUR/USDT", "qty": str(qty), "cash_flow": str(cash), "fees": {"USDT": str(fees)}}
    rows = [trade(side, str(q), str(px), str(fee), asset) for side, q, px, fee, asset in reversed(done)]

    assert forwards == [point.profit for point in profit_curve(position, rows)]


def test_all_well_names_who_trades_and_who_stands_by() -> None:
    verdict = judge(FINE, [node("a"), node("b")], [lease("desk/practice", "a"), lease("console", "b")], [desk()])

    assert "All well: node a trades desk practice, node b stands by." == verdict.sentence
    assert HealthState.HEALTHY is verdict.state


@pytest.mark.parametrize("state", ["expired", "free"])
def test_a_desk_that_nobody_holds_comes_before_everything_else(state: str) -> None:
    slow = HealthReport(1, HealthState.DEGRADED, "event loop is degraded: late.", ("event_loop",), (WATCHED,))

    verdict = judge(slow, [node("a", "dead"), node("b")], [lease("desk/practice", "a", state)], [desk(state=state)])

    assert "Nobody trades desk practice: its lease is waiting to be taken." == verdict.sentence
    assert HealthState.UNHEALTHY is verdict.state
    assert "Event loop is degraded: late." in verdict.more
    assert "No standby is ready: node b is alone until another one is." in verdict.more


def test_a_desk_that_waits_for_its_venue_says_so_at_the_top_and_in_its_card() -> None:
    row = desk(state="free", held_up="waits to start, and is tried again: its venue practice does not answer")
    said = "waits to start, and is tried again: its venue practice does not answer."

    assert f"Nobody trades desk practice: it {said}" == judge(FINE, [node("a")], [], [row]).sentence
    assert said in str(alarm(row))


def test_where_one_node_is_all_that_is_wanted_nobody_misses_another() -> None:
    verdict = judge(FINE, [node("a"), node("gone", "dead")], [lease("desk/practice", "a")], [desk()])

    assert "All well: node a trades desk practice." == verdict.sentence


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("cpu", "CPU is degraded: busy."),
        ("event_loop", "Event loop is degraded: busy."),
        ("broker/practice", "broker/practice is degraded: busy."),
    ],
)
def test_a_sentence_begins_with_a_capital_and_a_name_keeps_its_letters(part: str, said: str) -> None:
    finding = Finding(part, HealthState.DEGRADED, "busy")
    health = HealthReport(1, HealthState.DEGRADED, diagnosis([finding]), (part,), ())

    assert said == judge(health, (), (), ()).sentence


def test_nobody_can_overlook_a_desk_that_is_killed_or_waits_to_be_armed() -> None:
    killed = str(alarm(desk(mode="killed", mode_reason="Ada: a drill", kill_verified=True)))
    unarmed = str(alarm(desk(mode="unarmed", mode_reason="desk: broker x moves real money")))

    assert 'role="alert"' in killed
    assert "Kill switch on (Ada: a drill): no order leaves; nothing of ours is open, verified twice." in killed
    assert "Not armed (desk: broker x moves real money): no order leaves." in unarmed
    assert None is alarm(desk(mode="normal"))


def test_a_mode_and_unknown_orders_are_worth_a_word() -> None:
    halted = judge(FINE, [], [], [desk(mode="halted")])
    killed = judge(FINE, [], [], [desk(mode="killed", mode_reason="Ada: a drill")])
    assert (
        HealthState.UNHEALTHY,
        "Desk practice is KILLED (Ada: a drill): NOT yet verified that nothing is open.",
    ) == (
        killed.state,
        killed.sentence,
    )
    verified = judge(FINE, [], [], [desk(mode="killed", kill_verified=True)])
    assert "Desk practice is KILLED: verified that nothing is open." == verified.sentence
    reduced = judge(FINE, [], [], [desk(mode="reduce_only", unknown_orders=2)])
    blocked = judge(FINE, [], [], [desk(blocked={"EUR/USDT": "a trade was overfilled"})])

    assert "Desk practice is halted." == halted.sentence
    assert "Desk practice is reduce only." == reduced.sentence
    assert ("Desk practice: 2 orders are unknown and being asked for.",) == reduced.more
    assert "Desk practice does not trade EUR/USDT: a trade was overfilled." == blocked.sentence
