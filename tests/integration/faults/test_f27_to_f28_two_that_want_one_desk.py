"""F27, F28: a frozen trader that comes back, and two nodes that start at once: one desk, one that acts."""

from __future__ import annotations

import contextlib
import signal
import time

import apsw
import pytest

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.scene import Scene
from trading_orchestrator.journal.leases import TTL_S
from trading_orchestrator.kernel.tenancy import Succession


@pytest.mark.parametrize("frozen_s", [3 * TTL_S, pytest.param(60.0, marks=[pytest.mark.long, pytest.mark.waits])])
async def test_f27_a_trader_frozen_in_the_middle_of_a_send_wakes_up_and_sends_nothing(
    scene: Scene, frozen_s: float
) -> None:
    """SIGSTOP; the lease runs out and another takes the desk and trades; SIGCONT after three leases, or a minute."""
    with DeskChild(scene, "zombie") as zombie:
        await scene.until(scene.moving(lambda: len(scene.accepted()) > 5), what="orders", within_s=20.0)
        freeze(zombie, scene)
        frozen_at_s = time.monotonic()
        heir = await scene.open(orders=1, succession=Succession.EXPIRED)
        await scene.until(scene.moving(lambda: "node-0" in nodes(scene)), what="an order of the heir")
        await scene.until(
            scene.moving(lambda: time.monotonic() - frozen_at_s > frozen_s), what="that time", within_s=frozen_s + 10.0
        )
        taken, facts = len(scene.accepted()), len(scene.facts())

        zombie.signal(signal.SIGCONT)
        await scene.until(
            scene.moving(lambda: "expected epoch 1, was 2" in zombie.errors()), what="the journal to refuse the zombie"
        )

        assert [] == [fact for fact in scene.facts()[facts:] if fact.node == "zombie"]
        assert taken == len(scene.accepted())
        await scene.until(lambda: "was 2" in zombie.reason(), what="the zombie to say what it is")
        await heir.leave(1.0)
    await scene.judge(within_s=6.0)


async def test_f28_of_two_nodes_that_start_at_once_one_gets_the_desk(scene: Scene) -> None:
    with (
        DeskChild(scene, "one", predecessor_dead=False) as one,
        DeskChild(scene, "two", predecessor_dead=False) as two,
    ):
        both = (one, two)
        await scene.until(
            lambda: any(each.said("trading") for each in both) and any(each.said("error") for each in both),
            what="one to trade and one to be refused",
            within_s=20.0,
        )
        winner, loser = sorted(both, key=lambda each: len(each.said("error")))
        await scene.until(scene.moving(lambda: len(scene.accepted()) > 5), what="orders of the winner", within_s=6.0)

        assert [1] == [said["epoch"] for said in winner.said("trading")]
        assert [] == winner.said("error")
        assert ["lease.held"] == [said["code"] for said in loser.said("error")]
        await scene.until(lambda: loser.ended() is not None, what="the loser to end")
        winner.signal(signal.SIGTERM)
        await scene.until(lambda: winner.ended() is not None, what="the winner to leave", within_s=6.0)
    assert 1 == len(set(nodes(scene)))
    await scene.open(orders=0)
    await scene.judge(within_s=6.0)


def freeze(zombie: DeskChild, scene: Scene) -> None:
    """Stop it at an instant at which it does not hold the journal's write lock (a node is shot for that)."""
    for _ in range(1000):
        zombie.signal(signal.SIGSTOP)
        with contextlib.closing(apsw.Connection(str(scene.journal))) as connection:
            connection.set_busy_timeout(20)
            with contextlib.suppress(apsw.BusyError):
                connection.execute("BEGIN IMMEDIATE; ROLLBACK")
                return
        zombie.signal(signal.SIGCONT)
    raise AssertionError("expected an instant outside of a transaction within 1000 tries")


def nodes(scene: Scene) -> list[str]:
    return [fact.node for fact in scene.facts("order.intended")]
