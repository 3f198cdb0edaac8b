"""F37: a strategy leaks to nine tenths of its memory, and to the end of it: nothing is lost, doubled or wrong."""

from __future__ import annotations

import signal
from typing import Any

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.injectors import little_memory, need
from tests.integration.faults.scene import SYMBOL, Scene
from tests.integration.faults.strategies import resident_bytes

MOST_BYTES = 1_200 << 20
LIMIT_MIB = 400


def hoarder(mib: int, **more: int) -> dict[str, Any]:
    name = "tests.integration.faults.strategies:Hoarder"
    return {"name": "hoarder", "class": name, "params": {"symbol": SYMBOL, "mib": mib, **more}}


async def settle(scene: Scene) -> None:
    await scene.open(settings={"strategies": []})
    await scene.judge(within_s=6.0)


async def test_f37_a_leak_to_nine_tenths_of_memory_stops_no_order(scene: Scene) -> None:
    """The control group has its limit, and what the leak leaves is enough to trade on."""
    most_mib = LIMIT_MIB * 9 // 10
    with (
        little_memory(LIMIT_MIB << 20) as limited,
        DeskChild(scene, "leaking", strategies=[hoarder(8, most_mib=most_mib)], under=limited) as child,
    ):
        await scene.until(
            scene.moving(lambda: resident_bytes(child.pid) >= most_mib << 20), what="nine tenths", within_s=30.0
        )
        taken = len(scene.accepted())
        await scene.until(
            scene.moving(lambda: len(scene.accepted()) > taken + 20), what="orders on what is left", within_s=20.0
        )
        child.must_live()
        child.kill()

    await settle(scene)


async def test_f37_a_leak_to_the_limit_of_its_control_group_ends_the_node(scene: Scene) -> None:
    """The kernel kills it, between any two instructions."""
    with (
        little_memory(LIMIT_MIB << 20) as limited,
        DeskChild(scene, "leaking", strategies=[hoarder(8)], under=limited) as child,
    ):
        await scene.until(scene.moving(lambda: child.ended() is not None), what="the end of memory", within_s=30.0)
        assert -signal.SIGKILL == child.ended()
        assert scene.facts("order.intended")

    await settle(scene)


async def test_f37_a_leak_to_the_end_of_addresses_is_a_memory_error(scene: Scene) -> None:
    """Where allocations fail instead (ulimit -v), the strategy ends, or the node."""
    limited = [need("prlimit", "limiting a process's memory"), f"--as={MOST_BYTES}"]
    with DeskChild(scene, "leaking", strategies=[hoarder(40)], under=limited) as child:
        await scene.until(
            scene.moving(lambda: child.ended() is not None or "MemoryError" in child.reason()),
            what="the end of memory",
            within_s=30.0,
        )
        assert scene.facts("order.intended")
        child.kill()

    await settle(scene)
