"""The CPU ceiling of a desk with a node of its own: whether it is in force here, as the kernel says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial

from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.keeper.cpu_quota import ceiling_of
from trading_orchestrator.keeper.node_spec import NodeSpec
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.trading.config import DeskConfig

ROUNDING = 0.001
InForce = Callable[[], float | None]


def wanted_here(spec: NodeSpec, desks: Mapping[str, DeskConfig]) -> dict[str, float]:
    """Return the ceilings that the config asks for on this node: of the desk that has it to itself.

    A node that only stands by for the desk, and trades it for a while, has none.
    """
    if spec.desks is None or spec.serves_console:
        return {}
    return {name: desks[name].cpu_max_ratio for name in spec.desks if desks[name].cpu_max_ratio}


def watch_ceilings(manager: PerpetualOperationsManager, wanted: Mapping[str, float]) -> None:
    """Watch each as `cpu_ceiling/DESK`: a desk without its ceiling may take what others need, and reads degraded."""
    for desk, ratio in wanted.items():
        probe = AtOnce(partial(ceiling_health, ratio, partial(ceiling_of, os.getpid())))
        manager.add_probe(f"cpu_ceiling/{desk}", probe, for_readiness=False)


def ceiling_health(wanted_ratio: float, in_force: InForce) -> Health:
    """Return whether the ceiling is in force, and not wider than it was asked for."""
    ratio = in_force()
    if ratio is not None and ratio <= wanted_ratio + ROUNDING:
        return Health(HealthState.HEALTHY, f"at most {ratio:g} of a core")
    said = "none is in force" if ratio is None else f"{ratio:g} is in force"
    return Health(
        HealthState.DEGRADED, f"expected a ceiling of {wanted_ratio:g} of a core, {said}; see the keeper's log"
    )


async def tell_unlimited(cluster: Cluster, wanted: Mapping[str, float], in_force: InForce) -> None:
    """Record each ceiling that is not in force, once for each start of the node."""
    for desk, ratio in wanted.items():
        if ceiling_health(ratio, in_force).state is not HealthState.HEALTHY:
            await cluster.say_unlimited(desk, ratio)
