"""The story of incidents goes on whatever a part says of itself: texts are made fit, and what is refused is dropped."""

from __future__ import annotations

import logging

import pytest

from tests.integration.recovery.scene import MakeScene
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.storage.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("cannot read /data/\udcff.csv", "cannot read /data/\\udcff.csv"),
        ("x" * (1 << 21), "x" * 2000 + "… (2095152 more characters)"),
    ],
    ids=["no text", "too long"],
)
async def test_a_reason_that_cannot_be_stored_is_told_as_far_as_it_can(
    make_scene: MakeScene, caplog: pytest.LogCaptureFixture, reason: str, told: str
) -> None:
    caplog.set_level(logging.CRITICAL)  # pytest's workers cannot send what it tells
    scene = make_scene()
    for part in ("first", "second"):
        scene.part(part)
    scene.breaks("first", reason=reason)
    scene.breaks("second", reason="venue away")
    await scene.pass_time(10)

    assert {"first": told, "second": "venue away"} == {one.part: one.reason for one in await scene.told()}
    assert HealthState.HEALTHY is scene.incidents.health().state


async def test_a_refused_entry_is_dropped_counted_and_keeps_nobody_out(store: SqliteStore, clock: VirtualClock) -> None:
    log = IncidentLog(store, clock, node="a-1")

    def note(component: str, ends: object) -> None:
        about = {"component": component, "reason": "", "wait_s": 1.0, "ends_in_row": ends, "over_budget": False}
        log.record(f.ComponentEnded(at_ns=1, **about))  # type: ignore[arg-type]

    for number in range(5):
        note(f"part {number}", object() if number == 2 else 1)
    await log.flush()

    assert 4 == len(await store.read(stream=f.STREAM))
    assert (HealthState.DEGRADED, "the journal refused 1 entries for what they say") == (
        log.health().state,
        log.health().reason,
    )
