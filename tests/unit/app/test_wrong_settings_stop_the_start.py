"""Settings that would lose an order, a limit or a night's sleep are refused in a sentence that names the key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from trading_orchestrator.app.settings import configured, practice_toml
from trading_orchestrator.kernel.config import ConfigRefused, environment, merged, read_toml

BREAKOUT = "trading_orchestrator.trading.strategies.breakout:Breakout"
OTHER = {"api_key": "k", "secret": "s"}
NAN, INF = float("nan"), float("inf")


def settings(**more: Any) -> dict[str, Any]:
    """Return the practice config with something else in it."""
    return merged(read_toml(practice_toml()), more)


def desk(**more: Any) -> dict[str, Any]:
    return settings(trading={"desk": {"practice": more}})


def strategy(**more: Any) -> dict[str, Any]:
    params = {"symbol": "EUR/USDT", "qty": "1"} | more.pop("params", {})
    return desk(strategies=[{"name": "one", "class": BREAKOUT, "params": params} | more])


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigRefused) as refused:
        configured(values, "some.toml")
    return refused.value.message


def test_the_practice_config_is_none_of_them() -> None:
    assert ["practice"] == list(configured(settings(), "some.toml").settings.trading.desk)


@pytest.mark.parametrize(
    ("brokers", "second", "key", "shared"),
    [
        ({}, {"broker": "practice"}, "broker", "[brokers.practice]"),
        ({"other": OTHER}, {"broker": "other", "account": "practice"}, "account", "account `practice`"),
        ({"other": OTHER | {"api_key": "demo-key"}}, {"broker": "other"}, "broker.api_key", "that API key"),
    ],
    ids=["one broker", "one account", "one key"],
)
def test_two_desks_never_share_an_account(
    brokers: dict[str, Any], second: dict[str, Any], key: str, shared: str
) -> None:
    desks = {"second": {"symbols": ["EUR/USDT"], **second}}
    said = refusal(settings(brokers=brokers, trading={"desk": desks}))

    assert said.startswith(f"some.toml: trading.desk.second.{key}: desk practice trades on {shared} already")


def test_two_desks_on_accounts_of_their_own_are_well() -> None:
    desks = {"second": {"symbols": ["EUR/USDT"], "broker": "other"}}
    brokers = {"other": {"api_key": "k", "secret": "s"}}

    found = configured(settings(brokers=brokers, trading={"desk": desks}), "some.toml")

    assert ["practice", "second"] == list(found.settings.trading.desk)


@pytest.mark.parametrize("wrong", ["nan", "inf", "-1", "0", NAN, INF, -1, "sNaN"])
@pytest.mark.parametrize(
    "limit", ["max_order_qty", "max_order_notional", "max_position_qty", "price_collar_ratio", "max_daily_loss"]
)
def test_no_limit_is_endless_or_nothing(limit: str, wrong: object) -> None:
    assert f"some.toml: trading.desk.practice.risk.{limit}: expected a" in refusal(desk(risk={limit: wrong}))


@pytest.mark.parametrize("limit", ["max_open_orders", "max_orders_per_s"])
def test_a_count_of_nothing_is_no_limit(limit: str) -> None:
    assert f"trading.desk.practice.risk.{limit}: expected `int` >= 1" in refusal(desk(risk={limit: 0}))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        (settings(brokers={"practice": {"timeout_s": NAN}}), "brokers.practice.timeout_s"),
        (settings(brokers={"practice": {"timeout_s": "inf"}}), "brokers.practice.timeout_s"),
        (settings(brokers={"practice": {"validity_s": INF}}), "brokers.practice.validity_s"),
        (settings(brokers={"practice": {"countdown_s": INF}}), "brokers.practice.countdown_s"),
        (settings(keeper={"start_timeout_s": NAN}), "keeper.start_timeout_s"),
        (settings(keeper={"backoff_cap_s": -5}), "keeper.backoff_cap_s"),
        (settings(keeper={"stop_deadline_s": 1e9}), "keeper.stop_deadline_s"),
        (settings(keeper={"hang_kill_s": INF}), "keeper.hang_kill_s"),
        (settings(keeper={"port": -1}), "keeper.port"),
        (settings(keeper={"nodes": 3}), "keeper.nodes"),
        (settings(journal={"lease_ttl_s": NAN}), "journal.lease_ttl_s"),
        (desk(grace_s=INF), "trading.desk.practice.grace_s"),
        (desk(quarantine_s=1e300), "trading.desk.practice.quarantine_s"),
    ],
)
def test_no_span_of_time_is_endless(values: dict[str, Any], key: str) -> None:
    assert f"some.toml: {key}: expected" in refusal(values)


@pytest.mark.parametrize("qty", ["nan", "inf", "0", -1, NAN])
def test_a_strategy_hears_of_no_number_that_is_none(qty: object) -> None:
    said = refusal(strategy(params={"qty": qty}))

    assert "trading.desk.practice: strategy `one`: params: qty: expected a" in said


@pytest.mark.parametrize("name", ["maxRetriesOnFailure", "adjustForTimeDifference", "recvWindow"])
@pytest.mark.parametrize("endpoint", ["", "order"])
def test_no_option_of_the_library_undoes_the_order_protocol(name: str, endpoint: str) -> None:
    """The library reads an option of one endpoint too; a retry of its own would send an order twice."""
    options = {endpoint: {name: 3}} if endpoint else {name: 3}

    assert f"brokers.practice: options: expected no {name}" in refusal(
        settings(brokers={"practice": {"options": options}})
    )


@pytest.mark.parametrize(
    ("exchange", "param", "said"),
    [
        ("bitflyer", "", "where you have tried it yourself, client_id_param names the parameter it is asked by"),
        ("kraken", "cl_ord_id", "at most 18 characters there"),
        ("binanceusdm", "origClientOrderId", "expected one with a spot market"),
        ("binance", "origClientOrderId", "expected no client_id_param, was origClientOrderId: ccxt knows how to ask"),
        ("binanc", "origClientOrderId", "ccxt knows no such exchange (did you mean `binance`?)"),
    ],
)
def test_an_exchange_that_cannot_be_asked_by_our_ids(exchange: str, param: str, said: str) -> None:
    broker = {"exchange": exchange, "client_id_param": param}

    assert said in refusal(settings(brokers={"practice": broker}))


def test_an_exchange_is_taken_when_it_is_said_how_to_ask_there() -> None:
    broker = {"exchange": "bitflyer", "client_id_param": "child_order_acceptance_id"}

    assert (
        "bitflyer"
        == configured(settings(brokers={"practice": broker}), "some.toml").settings.brokers["practice"].exchange
    )


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65, "-x"])
def test_a_desk_is_named_so_that_a_stream_may_bear_it(name: str) -> None:
    desks = {name: {"broker": "other", "symbols": ["EUR/USDT"]}}

    assert f"was {name!r}" in refusal(settings(brokers={"other": {}}, trading={"desk": desks}))


def test_a_symbol_stands_once() -> None:
    assert "symbols: expected each once, was A/B, A/B" in refusal(desk(symbols=["A/B", "A/B"], strategies=[]))


def test_a_strategys_name_stands_once() -> None:
    two = [{"name": "one", "class": BREAKOUT, "params": {"symbol": "EUR/USDT", "qty": "1"}}] * 2

    assert "trading.desk.practice: strategy `one`: the name is used twice" in refusal(desk(strategies=two))


def test_a_strategy_wants_what_its_desk_trades() -> None:
    assert "wants `EUR/USD`" in refusal(strategy(params={"symbol": "EUR/USD"}))


@pytest.mark.parametrize(
    ("code", "line", "why"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("x = 1\n\ny = x / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    ],
)
def test_a_strategy_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, line: int, why: str
) -> None:
    name = f"broken_strategy_{line}_{len(code)}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    said = refusal(strategy(**{"class": f"{name}:Mine"}))

    assert f"`{name}:Mine` cannot be imported: {tmp_path / name}.py, line {line}: {why}" in said


OWN_CODE = """
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState
class Params(StrategyParams, frozen=True):
    share: int = 1
    def __post_init__(self) -> None:
        1 / self.share
class Mine(Strategy[Params, StrategyState]):
    def wants(self):
        return self.nothing
"""


@pytest.mark.parametrize(
    ("params", "said"),
    [({"share": 0}, "params: {file}, line 6: ZeroDivisionError"), ({}, "wants: {file}, line 9: AttributeError")],
    ids=["parameters", "wants"],
)
def test_what_a_strategys_own_code_raises_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], said: str
) -> None:
    file = tmp_path / "own_strategy.py"
    file.write_text(OWN_CODE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_strategy", raising=False)
    one = {"name": "one", "class": "own_strategy:Mine", "params": params}

    assert said.format(file=file) in refusal(desk(strategies=[one]))


def test_a_file_that_is_no_utf_8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('[keeper]\nhost = "127.0.0.1"  # für\n'.encode("latin-1"))
    with pytest.raises(ConfigRefused, match=r"latin\.toml is not valid TOML: .* 0xfc in line 2; save the file"):
        read_toml(tmp_path / "latin.toml")


@pytest.mark.parametrize("names", [("X_KEEPER", "X_KEEPER__PORT"), ("X_KEEPER__PORT", "X_keeper")])
def test_a_variable_that_gives_a_value_to_a_table(names: tuple[str, str]) -> None:
    with pytest.raises(ConfigRefused, match="another variable disagree"):
        environment("X", dict.fromkeys(names, "1"))
