"""A CPU ceiling is written as the kernel's control groups want it, and where it cannot be, that is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from trading_orchestrator.app.cpu_ceiling import ceiling_health, tell_unlimited, wanted_here
from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.keeper.cpu_quota import LEAF, CpuQuota, ceiling_of
from trading_orchestrator.keeper.node_spec import NodeSpec
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.config import ConfigRefused, build
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.config import DeskConfig


class Groups:
    """A hierarchy of version 2 as files, with the keeper (this process) in one group of it."""

    def __init__(self, folder: Path, own: str = "/") -> None:
        self.v2 = folder / "v2"
        self.proc = folder / "proc"
        self.v1 = folder / "none"
        self.own = self.v2 / own.lstrip("/")
        self.make(self.v2)
        self.make(self.own)
        (self.v2 / "cgroup.controllers").write_text("cpu memory")
        self.process("self", parent=1, group=own)
        self.process(str(os.getpid()), parent=1, group=own)
        (self.own / "cgroup.procs").write_text(str(os.getpid()))

    def make(self, group: Path, subtree_control: str = "") -> None:
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.subtree_control").write_text(subtree_control)
        (group / "cgroup.procs").write_text("")

    def process(self, pid: str, *, parent: int, group: str) -> None:
        (self.proc / pid).mkdir(parents=True)
        (self.proc / pid / "stat").write_text(f"{pid} (a (name)) S {parent} 1 1")
        (self.proc / pid / "cgroup").write_text(f"0::{group}\n")

    def hold(self, pid: int, max_ratio: float = 0.5) -> str:
        return CpuQuota(f"{pid}", max_ratio, v2=self.v2, v1=self.v1, proc=self.proc).hold(pid)


def test_half_a_core_in_version_two(tmp_path: Path) -> None:
    groups = Groups(tmp_path)

    assert "" == groups.hold(7)
    group = groups.v2 / "trading-orchestrator-7"
    assert ("50000 100000", "7") == ((group / "cpu.max").read_text(), (group / "cgroup.procs").read_text())
    assert "+cpu" == (groups.v2 / "cgroup.subtree_control").read_text()


def test_a_service_bounds_its_child_below_its_own_group_and_steps_aside_for_it(tmp_path: Path) -> None:
    groups = Groups(tmp_path, "/system.slice/ours.service")

    assert "" == groups.hold(7)
    group = groups.own / "trading-orchestrator-7"
    assert ("50000 100000", "7") == ((group / "cpu.max").read_text(), (group / "cgroup.procs").read_text())
    assert str(os.getpid()) == (groups.own / LEAF / "cgroup.procs").read_text(), "no process may stay above"
    assert "+cpu" == (groups.own / "cgroup.subtree_control").read_text()
    assert "" == (groups.v2 / "cgroup.subtree_control").read_text()


def test_the_second_child_is_bounded_beside_the_first(tmp_path: Path) -> None:
    groups = Groups(tmp_path, f"/ours.service/{LEAF}")
    groups.make(groups.own.parent, "cpu")

    assert "" == groups.hold(8)
    assert "8" == (groups.own.parent / "trading-orchestrator-8" / "cgroup.procs").read_text()


def test_nobody_elses_process_is_moved(tmp_path: Path) -> None:
    groups = Groups(tmp_path, "/user.slice/session")
    groups.process("99", parent=1, group="/user.slice/session")
    (groups.own / "cgroup.procs").write_text(f"{os.getpid()}\n99\n")

    assert "" == groups.hold(7)
    assert not (groups.own / LEAF).exists()
    assert "7" == (groups.v2 / "trading-orchestrator-7" / "cgroup.procs").read_text()


def test_what_was_tried_is_told_when_nothing_helped(tmp_path: Path) -> None:
    groups = Groups(tmp_path, "/system.slice/ours.service")
    for group in (groups.v2, groups.own):
        (group / "cgroup.subtree_control").unlink()
    said = groups.hold(7)

    assert "ours.service/trading-orchestrator-7: No such file or directory; " in said
    assert 2 == said.count("trading-orchestrator-7: ")


@pytest.mark.parametrize(("own", "below"), [("/", "."), ("/ours", "ours"), ("/of/the/host", ".")])
def test_two_cores_in_version_one(tmp_path: Path, own: str, below: str) -> None:
    v1, proc = tmp_path / "v1", tmp_path / "proc"
    (v1 / "ours").mkdir(parents=True)
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(f"2:cpu,cpuacct:{own}\n0::/\n")

    assert "" == CpuQuota("7", 2, v2=tmp_path / "none", v1=v1, proc=proc).hold(7)
    group = v1 / below / "trading-orchestrator-7"
    assert ("200000", "7") == ((group / "cpu.cfs_quota_us").read_text(), (group / "cgroup.procs").read_text())


def test_a_host_without_groups_is_told(tmp_path: Path) -> None:
    said = CpuQuota("7", 0.5, v2=tmp_path / "none", v1=tmp_path / "none", proc=tmp_path).hold(7)

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
