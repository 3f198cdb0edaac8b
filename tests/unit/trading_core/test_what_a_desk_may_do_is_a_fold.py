"""Arming, the day's loss and an operator's word change a desk's mode and sums by facts alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.unit.trading_core.desk_scene import SYMBOL, Scene
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading import permit_facts as p

BY: dict[str, Any] = {"by": "Ada", "reason": "a drill"}


def test_a_disarmed_desk_is_unarmed_whatever_its_mode_until_it_is_armed() -> None:
    scene = Scene()
    scene.journal.record(p.DeskDisarmed(**BY), f.DeskModeChanged(mode="reduce_only", **BY))
    assert ("unarmed", "Ada: a drill") == (scene.journal.book.mode, scene.journal.book.mode_reason)

    scene.journal.record(p.DeskArmed(account="case", live=True, **BY))
    assert "reduce_only" == scene.journal.book.mode


def test_the_kill_switch_stands_above_arming() -> None:
    scene = Scene()
    scene.journal.record(f.DeskKilled(**BY), p.DeskDisarmed(**BY))

    assert "killed" == scene.journal.book.mode


def test_the_loss_limit_lets_only_reduce_and_yields_to_a_stricter_mode() -> None:
    scene = Scene()
    reached = p.LossLimitReached(day="2026-11-22", asset="USDT", loss=Decimal(5), limit=Decimal(5))
    scene.journal.record(reached)
    assert "reduce_only" == scene.journal.book.mode
    assert "the day's loss of 5 USDT is at its limit of 5" == scene.journal.book.mode_reason

    scene.journal.record(f.DeskModeChanged(mode="halted", **BY))
    assert "halted" == scene.journal.book.mode

    scene.journal.record(f.DeskModeChanged(mode="normal", **BY), p.LossLimitLifted(**BY))
    assert ("normal", "") == (scene.journal.book.mode, scene.journal.book.day_loss.day)


def test_an_adjusted_position_moves_no_balance_and_earns_nothing() -> None:
    scene = Scene()
    cl = scene.send()
    scene.hear(scene.trade(cl, "1"))
    balances = scene.journal.book.balances()
    scene.journal.record(p.PositionAdjusted(symbol=SYMBOL, qty=Decimal(-4), px=Decimal(10), request_pos=7, **BY))
    position = scene.journal.book.position(SYMBOL)

    assert (Decimal(6), Decimal(10), 1) == (position.qty, position.avg_px, position.trades)
    assert Decimal(0) == position.cash_flow + position.qty * Decimal(10)
    assert balances == scene.journal.book.balances()
    assert 7 == scene.journal.book.request_pos


def test_an_operators_release_holds_for_the_quarantined_orders_of_that_symbol_only() -> None:
    scene = Scene()
    first = scene.send()
    scene.journal.record(
        f.OrderDoubted(cl_ord_id=first, reason="no answer"), f.OrderQuarantined(cl_ord_id=first, reason="too long")
    )
    assert {SYMBOL: "order.quarantined"} == scene.journal.book.blocked

    scene.journal.record(f.SymbolReleased(symbol=SYMBOL, by="desk", reason="agrees again"))
    assert {SYMBOL: "order.quarantined"} == scene.journal.book.blocked

    scene.journal.record(f.SymbolReleased(symbol=SYMBOL, request_pos=9, **BY))
    assert {} == scene.journal.book.blocked
    assert Decimal(10) == scene.journal.book.exposure(SYMBOL).buy_qty

    second = scene.send()
    scene.journal.record(
        f.OrderDoubted(cl_ord_id=second, reason="no answer"), f.OrderQuarantined(cl_ord_id=second, reason="too long")
    )
    assert {SYMBOL: "order.quarantined"} == scene.journal.book.blocked
