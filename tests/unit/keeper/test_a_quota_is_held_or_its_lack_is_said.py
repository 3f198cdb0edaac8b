"""A CPU ceiling is written as the kernel's control groups want it, and where it cannot be, that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_orchestrator.keeper.cpu_quota import CpuQuota
from trading_orchestrator.kernel.config import ConfigRefused, build
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


@pytest.mark.parametrize("wrong", [{"nice": 5}, {"cpu_max_ratio": 0.5}])
def test_a_shared_desk_has_no_process_to_bound(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigRefused, match='isolation = "process"'):
        build(DeskConfig, {"broker": "x", "symbols": ["EUR/USDT"], **wrong}, source="desk.toml")
