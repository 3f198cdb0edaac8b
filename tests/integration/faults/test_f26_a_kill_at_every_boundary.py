"""F26: `kill -9` at every named boundary of journal, send and answer: each is reached, and each loses nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.scene import Scene
from trading_orchestrator.trading.record import BEFORE

POINTS = (
    "desk.beginning",
    "desk.reconciled",
    "order.deciding",
    "order.intended",
    "order.in_flight",
    "order.answered",
    "cancel.deciding",
    "cancel.intended",
    "cancel.in_flight",
    "cancel.answered",
    "trade.booking",
    "trade.booked",
)
"""In the order in which an order meets them."""
SLOW_CALL = {"order.in_flight": "order.place", "cancel.in_flight": "order.cancel"}


def test_f26_no_boundary_is_left_out(root: Path) -> None:
    named = {point for path in (root / "src/trading_orchestrator/trading").rglob("*.py") for point in points_of(path)}

    assert set(POINTS) == named | set(BEFORE.values())


@pytest.mark.parametrize("point", POINTS)
async def test_f26_a_kill_at(scene: Scene, point: str) -> None:
    if point in SLOW_CALL:  # the answers stay away, so that the kill meets a request under way
        scene.venue.fault(effect="delay_answer", call=SLOW_CALL[point], delay_ms=300, times=1000)
    with DeskChild(scene, "dying") as child:
        child.arm(point)
        await scene.until(scene.moving(lambda: child.held_at(point)), what=f"{point} reached", within_s=20.0)
        child.kill()
    scene.venue.control("DELETE", "faults")

    await scene.open(orders=1)
    await scene.until(scene.moving(lambda: "node-0" in intending(scene)), what="an order of the successor")
    await scene.judge(within_s=6.0)

    assert {"dying", "node-0"} >= set(intending(scene))


def intending(scene: Scene) -> list[str]:
    return [fact.node for fact in scene.facts("order.intended")]


def points_of(path: Path) -> Iterator[str]:
    """Yield the names of the fault points that a module reaches."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("fault", "_fault") and isinstance(node.args[0].value, str):
            yield node.args[0].value
