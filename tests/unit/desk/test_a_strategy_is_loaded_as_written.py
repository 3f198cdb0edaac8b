"""A wrong path, name or parameter stops the start with a sentence that names the nearest right one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import World
from trading_orchestrator.kernel.config import ConfigRefused, build
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk_strategies import strategies_of
from trading_orchestrator.trading.strategies.load import load_strategy
from trading_orchestrator.trading.strategies.market_maker import MarketMaker
from trading_orchestrator.trading.strategies.strategy import StrategyParams, StrategyState

MARKET_MAKER = "trading_orchestrator.trading.strategies.market_maker:MarketMaker"
BARE = "tests.unit.desk.strategies:Bare"
ENDLESS = "tests.unit.desk.strategies:Endless"
PARAMS = {"symbol": "EUR/USDT", "qty": "50", "max_position_qty": "500"}


def desk(**strategy: Any) -> DeskConfig:
    values = {"name": "maker", "class": MARKET_MAKER, "params": PARAMS} | strategy
    return build(DeskConfig, {"broker": "practice", "symbols": ["EUR/USDT"], "strategies": [values]}, source="test")


def test_parameters_arrive_typed() -> None:
    loaded = load_strategy(MARKET_MAKER, PARAMS, source="test")

    assert MarketMaker is loaded.kind
    assert Decimal(50) == loaded.params.qty  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("trading_orchestrator.trading.strategies.market_maker:MarketMakr", "did you mean `MarketMaker`?"),
        ("trading_orchestrator.trading.strategies.market_makr:MarketMaker", "did you mean `market_maker`?"),
        ("nowhere.at_all:Thing", "PYTHONPATH"),
        ("trading_orchestrator.trading.strategies.market_maker", "expected `package.module:Class`"),
        ("trading_orchestrator.trading.strategies.market_maker:deque", "expected a subclass of Strategy"),
        ("trading_orchestrator.trading.strategies.strategy:Strategy", "expected a subclass of Strategy"),
    ],
)
def test_a_wrong_path_is_refused_with_a_hint(path: str, hint: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load_strategy(path, PARAMS, source="test")

    assert hint in refused.value.message


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigRefused) as refused:
        load_strategy(MARKET_MAKER, PARAMS | {"requote": 1}, source="test")

    assert "unknown key `requote`; did you mean `requote_s`?" in refused.value.message


def test_a_strategy_needs_neither_parameters_nor_state_nor_wishes() -> None:
    bare = {"name": "bare", "class": BARE, "params": {}}
    values = {"broker": "practice", "symbols": ["EUR/USDT", "BTC/USDT"], "strategies": [bare]}
    loaded = strategies_of(build(DeskConfig, values, source="test"), source="test")["bare"]

    assert ["EUR/USDT", "BTC/USDT"] == loaded.wants("bare").symbols
    assert (StrategyParams(), StrategyState()) == (loaded.params, loaded.build("bare", loaded.kind.State()).state)
    with pytest.raises(ConfigRefused, match="unknown key `qty`"):
        load_strategy(BARE, {"qty": 1}, source="test")


async def test_it_trades_and_its_successor_knows(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Bare"))
        await world.quote("1.1")
        await world.run(1)
        first.crash()
        await world.start(world.node("Bare"), Succession.PROVED_DEATH)
        await world.quote("1.2")
        await world.run(1)

        assert (1, Decimal(10)) == (len(world.submits), world.venue_position_qty())


def test_an_unknown_key_of_a_desk_is_refused() -> None:
    with pytest.raises(ConfigRefused) as refused:
        desk(clas="x")

    assert "strategies.0.clas" in refused.value.message


def test_a_symbol_the_desk_does_not_trade_is_refused() -> None:
    with pytest.raises(ConfigRefused) as refused:
        strategies_of(desk(params=PARAMS | {"symbol": "EUR/USD"}), source="test")

    assert "did you mean `EUR/USDT`?" in refused.value.message


def test_two_strategies_of_one_name_are_refused() -> None:
    config = desk()
    both = build(
        DeskConfig,
        {
            "broker": "b",
            "symbols": ["EUR/USDT"],
            "strategies": [{"name": "a", "class": MARKET_MAKER, "params": PARAMS}] * 2,
        },
        source="test",
    )

    assert ["maker"] == list(strategies_of(config, source="test"))
    with pytest.raises(ConfigRefused):
        strategies_of(both, source="test")


def test_a_disabled_strategy_keeps_no_name_from_an_enabled_one() -> None:
    old: dict[str, Any] = {"class": MARKET_MAKER, "params": PARAMS, "enabled": False}
    new: dict[str, Any] = {"class": BARE}
    for both in ([old, new], [new, old]):
        strategies = [{"name": "one"} | each for each in both]
        values = {"broker": "practice", "symbols": ["EUR/USDT"], "strategies": strategies}
        loaded = strategies_of(build(DeskConfig, values, source="test"), source="test")
        assert "Bare" == loaded["one"].kind.__name__


INF = float("inf")


@pytest.mark.parametrize(
    ("value", "then"), [(INF, INF), ("inf", INF), (-INF, -INF), (0.5, 0.5), (float("nan"), None), ("nan", None)]
)
@pytest.mark.parametrize("name", ["take_profit", "stop_px", "longest_s"])
def test_what_an_author_bounds_nowhere_may_be_endless(name: str, value: object, then: float | None) -> None:
    if then is None:
        with pytest.raises(ConfigRefused, match=f"{name}: expected a finite number"):
            load_strategy(ENDLESS, {name: value}, source="test")
        return

    params = load_strategy(ENDLESS, {name: value}, source="test").params

    assert then == float(getattr(params, name))


@pytest.mark.parametrize("value", [INF, "inf"])
@pytest.mark.parametrize("name", ["apart_s", "qty"])
def test_what_an_author_bounds_is_finite(name: str, value: object) -> None:
    with pytest.raises(ConfigRefused, match=f"{name}: expected a finite number"):
        load_strategy(ENDLESS, {name: value}, source="test")


@pytest.mark.parametrize("name", ["qty", "range_share", "requote_s", "refresh_s"])
def test_ours_takes_no_endless_number(name: str) -> None:
    with pytest.raises(ConfigRefused, match=f"{name}: expected a finite number"):
        load_strategy(MARKET_MAKER, PARAMS | {name: INF}, source="test")


def test_a_disabled_strategy_stays_off_the_desk() -> None:
    assert {} == strategies_of(desk(enabled=False), source="test")
