"""F37: a strategy leaks until memory ends: the desk stops it or the node dies, and either way nothing is wrong."""

from __future__ import annotations

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.injectors import need
from tests.integration.faults.scene import SYMBOL, Scene

MOST_BYTES = 1_200 << 20
HOARDER = {
    "name": "hoarder",
    "class": "tests.integration.faults.strategies:Hoarder",
    "params": {"symbol": SYMBOL, "mib": 40},
}


async def test_f37_a_leak_to_the_end_of_memory(scene: Scene) -> None:
    limited = [need("prlimit", "limiting a process's memory"), f"--as={MOST_BYTES}"]
    with DeskChild(scene, "leaking", strategies=[HOARDER], under=limited) as child:
        await scene.until(
            scene.moving(lambda: child.ended() is not None or "MemoryError" in child.reason()),
            what="the end of memory",
            within_s=30.0,
        )
        assert scene.facts("order.intended")
        child.kill()

    await scene.open(settings={"strategies": []})
    await scene.judge(within_s=6.0)
