"""A CPU ceiling is written as the kernel's control groups want it, and where it cannot be, that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trading_orchestrator.app.cpu_ceiling import ceiling_health, tell_unlimited, wanted_here
from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.keeper.cpu_quota import CpuQuota, ceiling_of
from trading_orchestrator.keeper.node_spec import NodeSpec
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.config import ConfigRefused, build
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.config import DeskConfig


def test_half_a_core_in_version_two(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory")

    assert "" == CpuQuota("7", 0.5, v2=tmp_path, v1=tmp_path / "none").hold(7)
    group = tmp_path / "trading-orchestrator-7"
    assert ("50000 100000", "7") == ((group / "cpu.max").read_text(), (group / "cgroup.procs").read_text())


def test_two_cores_in_version_one(tmp_path: Path) -> None:
    assert "" == CpuQuota("7", 2, v2=tmp_path / "none", v1=tmp_path).hold(7)
    group = tmp_path / "trading-orchestrator-7"
    assert ("200000", "7") == ((group / "cpu.cfs_quota_us").read_text(), (group / "cgroup.procs").read_text())


def test_a_host_without_groups_is_told(tmp_path: Path) -> None:
    said = CpuQuota("7", 0.5, v2=tmp_path / "none", v1=tmp_path / "none").hold(7)

    assert said.endswith("trading-orchestrator-7: No such file or directory")


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("0::/a", {"v2/a/cpu.max": "50000 100000"}, 0.5),
        ("0::/a", {"v2/a/cpu.max": "max 100000"}, None),
        ("3:cpuset:/\n2:cpu,cpuacct:/a", {"v1/a/cpu.cfs_quota_us": "200000", "v1/a/cpu.cfs_period_us": "100000"}, 2.0),
        ("2:cpu:/", {"v1/cpu.cfs_quota_us": "-1", "v1/cpu.cfs_period_us": "100000"}, None),
        ("0::/elsewhere", {}, None),
    ],
)
def test_the_ceiling_in_force_is_read_from_the_kernel(
    tmp_path: Path, cgroup: str, files: dict[str, str], expected: float | None
) -> None:
    for name, text in {"proc/7/cgroup": cgroup, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")

    assert expected == ceiling_of(7, v2=tmp_path / "v2", v1=tmp_path / "v1", proc=tmp_path / "proc")


@pytest.mark.parametrize(
    ("in_force", "state", "said"),
    [
        (0.5, HealthState.HEALTHY, "at most 0.5 of a core"),
        (None, HealthState.DEGRADED, "expected a ceiling of 0.5 of a core, none is in force; see the keeper's log"),
        (2.0, HealthState.DEGRADED, "expected a ceiling of 0.5 of a core, 2 is in force; see the keeper's log"),
    ],
)
def test_a_desk_without_its_ceiling_reads_degraded(in_force: float | None, state: HealthState, said: str) -> None:
    health = ceiling_health(0.5, lambda: in_force)

    assert (state, said) == (health.state, health.reason)


async def test_a_desk_without_its_ceiling_is_a_fact(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "journal.db", clock=VirtualClock())
    try:
        cluster = Cluster(store, node="own0-1", pid=1, release="1")
        await tell_unlimited(cluster, {"own": 0.5, "wide": 2.0}, lambda: 1.0)

        told = [(fact.kind, json.loads(fact.body)) for fact in await store.read(stream="cluster")]
    finally:
        await store.close()
    assert [("node.unlimited", {"node": "own0-1", "desk": "own", "wanted_ratio": 0.5})] == told


def test_a_ceiling_is_wanted_where_the_desk_has_its_node_alone() -> None:
    own = {"broker": "x", "symbols": ["EUR/USDT"], "isolation": "process", "cpu_max_ratio": 0.5}
    desks = {"own": build(DeskConfig, own, source="desk.toml")}
    home = NodeSpec("own0-1", {}, "", 3, desks=("own",), serves_console=False)
    standby = NodeSpec("b-1", {}, "", 3, homes={"own": "own0"})

    assert ({"own": 0.5}, {}) == (wanted_here(home, desks), wanted_here(standby, desks))


@pytest.mark.parametrize("wrong", [{"nice": 5}, {"cpu_max_ratio": 0.5}])
def test_a_shared_desk_has_no_process_to_bound(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigRefused, match='isolation = "process"'):
        build(DeskConfig, {"broker": "x", "symbols": ["EUR/USDT"], **wrong}, source="desk.toml")
