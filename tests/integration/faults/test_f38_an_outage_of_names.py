"""F38: the name server is mute and connections break: nothing was sent, so nothing is unknown and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.injectors import need
from tests.integration.faults.name_server import NAME, name_server
from tests.integration.faults.scene import Scene
from tests.integration.faults.wire import Wire

OWN_RESOLVER = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
CACHED_S = 10.0
"""So long the client keeps an answer; an outage is noticed when it asks again."""


@pytest.mark.long
@pytest.mark.waits
async def test_f38_a_mute_name_server(far_scene: Scene, wire: Wire, tmp_path: Path) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(f"nameserver {wire.near}\noptions timeout:1 attempts:1\n")
    own_resolver = [need("unshare", "a resolver of its own"), "--mount", "sh", "-c", OWN_RESOLVER, str(resolver)]
    port, venue = far_scene.venue.port, far_scene.venue
    async with name_server(wire.near, wire.host) as names:
        far_scene.host = NAME
        with DeskChild(far_scene, "trader", under=own_resolver) as child:
            await far_scene.until(far_scene.moving(lambda: len(far_scene.accepted()) > 5), what="orders", within_s=20.0)
            names.mute = True

            def outage() -> bool:
                child.must_live()
                wire.refuse(port, of=wire.connections(venue.pid, port))
                far_scene.tick()
                return any(told_as_not_sent(fact.body) for fact in far_scene.facts("order.refused"))

            await far_scene.until(outage, what="an order that did not leave", within_s=2 * CACHED_S)
            wire.heal()
            assert 0 < names.asked
            taken = len(far_scene.accepted())
            names.mute = False
            await far_scene.until(
                far_scene.moving(lambda: len(far_scene.accepted()) > taken + 5), what="orders again", within_s=10.0
            )
            child.kill()

    far_scene.host = wire.host
    await far_scene.open(settings={"strategies": []})
    await far_scene.judge(within_s=6.0)


def told_as_not_sent(body: dict[str, object]) -> bool:
    return "venue.not_sent" in str(body)
