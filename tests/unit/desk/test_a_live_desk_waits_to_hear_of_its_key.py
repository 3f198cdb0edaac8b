"""Paragraph 11: while the venue has not told whether the key may withdraw, a live desk is unarmed and asks again."""

from __future__ import annotations

from pathlib import Path

from tests.unit.desk.test_a_live_desk_waits_to_be_armed import arm, mode, see
from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.port import NoAnswer
from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.tenancy import Succession

UNTOLD = "sim has not told whether the API key may withdraw (no answer)"
MAY = "the API key may withdraw"


class Venue:
    """What the venue says of the key; `error`: instead of an answer."""

    def __init__(self, node: Node, error: OrchestratorError | None) -> None:
        self.error = error
        self.asked = 0
        self.key_doubt = UNTOLD if error is not None else ""
        node.broker.key_doubt = self.key_doubt  # type: ignore[attr-defined]
        node.broker.ask_key_rights = self.ask  # type: ignore[attr-defined]
        self._node = node

    async def ask(self) -> None:
        self.asked += 1
        if isinstance(self.error, Refused):
            doubt = self.error.message
        else:
            doubt = UNTOLD if self.error is not None else ""
        self._node.broker.key_doubt = doubt  # type: ignore[attr-defined]


async def untold(world: World, turns: str, *, live: bool = True) -> tuple[Node, Venue]:
    node = world.node("Turner", {"turns": turns}, live=live)
    venue = Venue(node, NoAnswer("no answer", venue_code="", text=""))
    await world.start(node)
    return node, venue


async def test_no_order_leaves_before_the_venue_has_told_and_the_page_says_why(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node, venue = await untold(world, "bb")
        await arm(world)
        await see(world)

        assert [] == world.submits
        (row,) = await world.rows("desks")
        assert ("unarmed", f"desk: {UNTOLD}; it is asked again") == (row["mode"], row["mode_reason"])
        assert f"the desk is unarmed: {UNTOLD}; it is asked again" in node.desk.health().reason

        await world.run(10.0)
        assert 3 == venue.asked  # after 1, 2 and 4 s
        venue.error = None
        await world.run(20.0)
        await see(world)
        assert 1 == len(world.submits)
        assert "normal" == await mode(world)


async def test_a_key_that_turns_out_to_be_able_to_withdraw_stays_unarmed(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        _, venue = await untold(world, "bb")
        await arm(world)
        venue.error = Refused(MAY)
        await world.run(70.0)
        await see(world)

        assert [] == world.submits
        (row,) = await world.rows("desks")
        assert ("unarmed", f"desk: {MAY}; it is asked again") == (row["mode"], row["mode_reason"])
        doubts = (await world.kinds()).count("key_rights.doubted")
        await world.run(200.0)
        assert doubts == (await world.kinds()).count("key_rights.doubted")


async def test_a_successor_that_was_told_trades_on_what_a_person_armed(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first, _ = await untold(world, "")
        await arm(world)
        first.crash()
        heir = world.node("Turner", {"turns": "b"}, live=True)
        Venue(heir, None)
        await world.start(heir, Succession.PROVED_DEATH)
        await see(world)

        assert 1 == len(world.submits)


async def test_practice_does_not_wait(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        _, venue = await untold(world, "b", live=False)
        await see(world)

        assert (1, 0) == (len(world.submits), venue.asked)
