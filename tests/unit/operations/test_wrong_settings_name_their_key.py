"""Settings come from four kinds of places, and what is wrong in them is named by its key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.settings_source import settings_of


class Monitoring(BaseModel):
    interval_s: float = 1.0


class Wing(BaseModel):
    monitoring: Monitoring = Monitoring()


class Program(BaseModel):
    database_url: str = "somewhere"
    data_dir: Path = Path("theirs")
    perpetual_operations: Wing = Wing(monitoring=Monitoring(interval_s=2))


@dataclass
class Flat:
    data_dir: str = "flat"
    health: dict[str, float] = field(default_factory=lambda: {"interval_s": 3})
    colour: str = "their own business"


def test_nothing_given_is_environment_over_defaults() -> None:
    config = settings_of(
        None, environ={"TRADING_ORCHESTRATOR_PERPETUAL_OPERATIONS__HEALTH__INTERVAL_S": "2.5", "HOME": "/root"}
    )

    assert ("data", 2.5, 1.0) == (config.data_dir, config.health.interval_s, config.monitoring.interval_s)


def test_the_environment_also_names_the_data_directory() -> None:
    assert "/var/x" == settings_of(None, environ={"TRADING_ORCHESTRATOR_DATA_DIR": "/var/x"}).data_dir


@pytest.mark.parametrize(
    ("app_config", "data_dir"),
    [
        (Program(), "theirs"),
        (Flat(), "flat"),
        (SimpleNamespace(data_dir="plain", debug=True), "plain"),
        (SimpleNamespace(perpetual_operations=SimpleNamespace(data_dir=Path("inner"))), "inner"),
        ({"data_dir": "table itself"}, "table itself"),
        ({"data_dir": "whole", "debug": True, "perpetual_operations": {}}, "whole"),
        (OperationsConfig(data_dir="ready"), "ready"),
        (object(), "data"),
    ],
)
def test_every_kind_of_settings_is_read(app_config: object, data_dir: str) -> None:
    assert data_dir == settings_of(app_config).data_dir


def test_nested_settings_objects_reach_the_parts() -> None:
    assert 2 == settings_of(Program()).monitoring.interval_s
    assert 3 == settings_of(Flat()).health.interval_s


def test_a_toml_file_is_overridden_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "program.toml"
    file.write_text(
        "data_dir = 'here'\n[other]\nx = 1\n[perpetual_operations.health]\ninterval_s = 4\ndeadline_s = 2\n"
    )

    config = settings_of(file, environ={"TRADING_ORCHESTRATOR_PERPETUAL_OPERATIONS__HEALTH__INTERVAL_S": "5"})

    assert ("here", 5.0, 2.0) == (config.data_dir, config.health.interval_s, config.health.deadline_s)


@pytest.mark.parametrize(
    ("app_config", "key", "said"),
    [
        ({"monitering": {}}, "monitering", "did you mean `monitoring`?"),
        ({"monitoring": {"interval": 1}}, "monitoring.interval", "did you mean `interval_s`?"),
        ({"monitoring": {"interval_s": "often"}}, "monitoring.interval_s", "expected"),
        ({"monitoring": {"interval_s": 0}}, "monitoring.interval_s", ">= 0.1"),
        (
            {"perpetual_operations": {"health": {"deadline_s": -1}}},
            "perpetual_operations.health.deadline_s",
            "> 0",
        ),
        (
            {"perpetual_operations": {"console": {"path_prefix": "ops"}}},
            "perpetual_operations.console.path_prefix",
            "matching regex",
        ),
        (7, "app_config", "expected None, a path"),
        ({"perpetual_operations": 3}, "perpetual_operations", "expected a table"),
        ({"perpetual_operations": {}, "data_dir": 3}, "data_dir", "expected a path"),
        (Flat(health={"intervall_s": 1}), "perpetual_operations.health.intervall_s", "did you mean `interval_s`?"),
    ],
)
def test_a_wrong_key_is_named_and_the_way_out_told(app_config: Any, key: str, said: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        settings_of(app_config)

    assert key == refused.value.facts["key"]
    assert key in refused.value.message
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("toml", "key", "meant"),
    [
        ("[perpetual_operation]\n", "perpetual_operation", "[perpetual_operations]"),
        ("[health]\ninterval_s = 1\n", "health", "[perpetual_operations.health]"),
    ],
)
def test_a_table_that_was_meant_for_us_is_not_passed_over(tmp_path: Path, toml: str, key: str, meant: str) -> None:
    file = tmp_path / "program.toml"
    file.write_text(toml)

    with pytest.raises(ConfigRefused) as refused:
        settings_of(file)

    assert key == refused.value.facts["key"]
    assert meant in refused.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match=r"nowhere\.toml does not exist"):
        settings_of(tmp_path / "nowhere.toml")
