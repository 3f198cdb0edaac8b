"""A failure that turns out worse than it was found ends what was tried for the lesser one."""

from __future__ import annotations

import asyncio

from tests.integration.recovery.scene import MakeScene
from trading_orchestrator.app.trading_ladders import TRADING_LADDERS
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.health.probes.journal import JournalProbe
from trading_orchestrator.perpetual_operations.recovery.default_ladders import DEFAULT_LADDERS
from trading_orchestrator.storage.sqlite import SqliteStore

SHIPPED = (*DEFAULT_LADDERS, *TRADING_LADDERS)


async def test_a_journal_that_hangs_is_slow_first_and_then_lost(
    make_scene: MakeScene, store: SqliteStore, clock: VirtualClock
) -> None:
    scene = make_scene(*SHIPPED)
    hangs = asyncio.Event()

    async def write() -> None:
        if hangs.is_set():
            await clock.sleep(10_000)

    probe = JournalProbe(store, clock, write, answer_s=0.4)
    scene.checker.add("journal", probe)
    await scene.pass_time(3)
    hangs.set()
    await scene.pass_time(40)

    (incident,) = await scene.told()
    assert "database.lost" == incident.failure
    assert "is worse: database.lost, no longer database.slow" in " ".join(line.what for line in incident.timeline)
    assert ["reconnect journal", "reconnect journal", "hand_over journal"] == [
        done for done in scene.done if not done.startswith("wait")
    ]


async def test_a_venue_that_turns_out_to_refuse_the_key_pages_at_once(make_scene: MakeScene) -> None:
    scene = make_scene(*SHIPPED)
    scene.part("broker/x")
    scene.breaks("broker/x", "broker.mute", "no answer")
    await scene.pass_time(5)
    scene.breaks("broker/x", "broker.key_revoked", "-2015")
    await scene.pass_time(2)

    (incident,) = await scene.told()
    assert ("broker.key_revoked", "exhausted", "-2015") == (incident.failure, incident.state, incident.reason)


async def test_a_lesser_class_changes_nothing(make_scene: MakeScene) -> None:
    scene = make_scene(*SHIPPED)
    scene.part("broker/x")
    scene.breaks("broker/x", "broker.key_revoked", "-2015")
    await scene.pass_time(5)
    scene.breaks("broker/x", "broker.mute", "no answer")
    await scene.pass_time(5)

    (incident,) = await scene.told()
    assert "broker.key_revoked" == incident.failure


def test_only_known_classes_are_outranked() -> None:
    assert {one for ladder in SHIPPED for one in ladder.outranks} <= {ladder.failure for ladder in SHIPPED}
