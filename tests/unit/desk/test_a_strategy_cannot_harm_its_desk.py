"""A strategy is foreign code: its failures end with itself, and its wishes within the limits."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import World


@pytest.mark.parametrize("kind", ["Failing", "Exiting"])
async def test_a_strategy_that_raises_is_stopped_and_its_orders_canceled(tmp_path: Path, kind: str) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node(kind, {"orders": 9, "px": "1.0900"}))
        await world.quote("1.1000")
        await world.run(0.2)
        await world.quote("1.1001")
        await world.run(0.5)
        await world.quote("1.1002")
        await world.run(0.5)

        assert await world.order_states() == ["canceled"]
        assert "a bug of its own" in node.desk.health().reason


async def test_an_order_beyond_a_limit_is_denied_and_journaled_once_a_second(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", {"qty": "500"}, risk={"max_order_qty": "100"}))
        for number in range(50):
            await world.quote(f"1.{1000 + number}")
        await world.run(0.1)

        denied = await world.facts("order.denied")
        assert [fact.code for fact in denied] == ["risk.max_order_qty"]  # type: ignore[attr-defined]
        assert world.submits == []


async def test_an_order_off_the_instruments_steps_is_denied(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", {"qty": "0.15"}))
        await world.quote("1.1000")
        await world.run(0.1)

        assert [fact.code for fact in await world.facts("order.denied")] == ["instrument.step_qty"]  # type: ignore[attr-defined]


async def test_open_orders_count_against_the_position_limit(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        params = {"orders": 5, "px": "1.0900", "qty": "10"}
        await world.start(world.node("Buyer", params, risk={"max_position_qty": "25"}))
        for number in range(5):
            await world.quote(f"1.{1000 + number}")
        await world.run(0.5)

        assert sum(report.order_qty for report in world.venue.orders()) == Decimal(20)


async def test_the_process_says_which_strategy_runs(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        running: list[str] = []
        await world.start(world.node("Buyer", now_running=running.append))
        running.clear()
        await world.quote("1.1000")

        assert ["s", ""] == running[:2]
        assert running[-1] == ""


async def test_the_process_says_which_strategy_is_restored(tmp_path: Path) -> None:
    """One whose warm-up ends the interpreter would end every heir: its name must stand in the file by then."""
    async with await World.open(tmp_path) as world:
        running: list[str] = []
        await world.start(world.node("Buyer", now_running=running.append))

        assert ["s", ""] == running[:2]


@pytest.mark.parametrize("bad", ["nan", "inf"])
@pytest.mark.parametrize("of", ["qty", "px"])
async def test_a_number_that_is_none_denies_the_order_and_leaves_the_strategy_at_work(
    tmp_path: Path, bad: str, of: str
) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Miscounting", {"of": of, "bad": bad}))
        for bid_px in ("1.1000", "1.1001", "1.1002"):
            await world.quote(bid_px)
        await world.run(0.2)

        assert "" == node.desk.health().reason
        (denied,) = await world.facts("order.denied")
        expected = "a quantity above 0" if of == "qty" else "a price above 0"
        assert expected in denied.text  # type: ignore[attr-defined]
        assert denied.text.endswith(str(Decimal(bad)))  # type: ignore[attr-defined]
        assert ["new", "rejected"] == sorted(await world.order_states())
        rejected = next(row for row in await world.rows("orders") if row["state"] == "rejected")
        assert Decimal(rejected["order_qty"]).is_finite()
