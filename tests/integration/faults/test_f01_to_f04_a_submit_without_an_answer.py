"""F1-F4, F9, F10: whatever becomes of the answer, one intent is one order, and the journal ends at the truth."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.faults.scene import GRACE_S, RESTING_PX, Scene

AMBIGUOUS: list[tuple[str, dict[str, Any]]] = [
    ("F1", {}),
    ("F2", {}),
    ("F3", {}),
    ("F3", {"status": 504, "code": -1007}),
    ("F3", {"code": -1007}),
    ("F3", {"effect": "truncate"}),
    ("F3", {"effect": "cut_short"}),
    ("F3", {"effect": "empty"}),
    ("F3", {"effect": "html"}),
    ("F10", {}),
]


def named(case: tuple[str, dict[str, Any]]) -> str:
    return "-".join([case[0], *(str(value) for value in case[1].values())])


@pytest.mark.parametrize("px", [RESTING_PX, None], ids=["resting", "filled"])
@pytest.mark.parametrize("case", AMBIGUOUS, ids=named)
async def test_accepted_and_not_answered(scene: Scene, case: tuple[str, dict[str, Any]], px: str | None) -> None:
    """F1, F2, F3 and F10: taken, and the answer is lost, broken or an error that tempts to send again."""
    fault, extra = case
    scene.venue.fault("F12", times=1000)
    scene.venue.fault(fault, times=1000, **extra)
    await scene.open(px=px, settings={"poll_orders_s": 9.0, "poll_trades_s": 9.0})  # only asking for it may help
    scene.tick()

    await scene.until(scene.accepted, what="an order at the venue")
    await scene.judge()

    assert 1 == len(scene.accepted()) == scene.posted()
    assert 1 == scene.kinds().count("order.doubted")
    assert ["new" if px else "filled"] == await scene.settled()


async def test_f09_an_id_refused_as_a_duplicate_because_the_first_one_lives(scene: Scene) -> None:
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F9")
    await scene.open(px=RESTING_PX)
    scene.tick()

    await scene.until(scene.accepted, what="an order at the venue")
    await scene.judge()

    assert ["Duplicate order sent."] == [fact["text"] for fact in scene.venue.log("request.refused")]
    assert ["new"] == await scene.settled()


async def test_f04_reset_before_the_body_is_abandoned_by_proof_and_decided_anew(scene: Scene) -> None:
    scene.venue.fault("F4")
    await scene.open(px=RESTING_PX)
    scene.tick()

    await scene.until(lambda: "order.abandoned" in scene.kinds(), what="the proof", within_s=GRACE_S + 3)
    await scene.judge()

    doubted, abandoned = scene.facts("order.doubted", "order.abandoned")
    assert abandoned.at_ns - doubted.at_ns >= GRACE_S * 1e9
    assert 3 <= len([line for line in abandoned.body["proof"] if "not found" in line])
    assert (["abandoned"], []) == (await scene.states(), scene.accepted())
