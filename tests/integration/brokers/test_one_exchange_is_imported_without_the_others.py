"""Importing one exchange leaves the other hundred on disk, and nobody else notices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LEAN = """
import json, sys
from trading_orchestrator.brokers.ccxt.lean_import import exchange_class
found = exchange_class(sys.argv[1])
modules = [name for name in sys.modules if name.split(".")[0] == "ccxt"]
print(json.dumps([found.__module__, len(modules)]))
"""
AFTERWARDS = """
import json, sys
from trading_orchestrator.brokers.ccxt.lean_import import exchange_class
lean = exchange_class("binance")
import ccxt, ccxt.async_support, ccxt.pro
print(json.dumps([
    ccxt.pro.binance is lean, ccxt.kraken.__module__, len(ccxt.exchanges) > 90, ccxt.pro.bybit.__module__,
    issubclass(ccxt.InsufficientFunds, ccxt.ExchangeError), ccxt.async_support.okx.__module__, ccxt.__version__ != "",
]))
"""
BEFORE = """
import ccxt.pro, json
from trading_orchestrator.brokers.ccxt.lean_import import exchange_class
print(json.dumps([exchange_class("binance") is ccxt.pro.binance]))
"""
BLOCKING = """
import json, sys
from trading_orchestrator.brokers.ccxt.lean_import import exchange_class
lean = exchange_class("binance")
told, here = lean().userAgent, [name for name in sys.modules if name.split(".")[0] in ("requests", "urllib3")]
import ccxt
blocking = ccxt.kraken({"urls": {"api": {"public": "http://127.0.0.1:9"}}})
import requests, ccxt.base.exchange as base
try:
    blocking.publicGetTime()
except Exception as error:
    raised = type(error).__name__
print(json.dumps([
    here, told == requests.utils.default_user_agent(), isinstance(blocking.session, requests.Session), raised,
    [name for name, value in vars(base).items() if getattr(value, "__module__", "").endswith("requests_later")],
]))
"""
HERE_ALREADY = """
import json, requests
from trading_orchestrator.brokers.ccxt.lean_import import exchange_class
exchange_class("binance")
import ccxt.base.exchange as base
print(json.dumps([base.Session is requests.Session, base.Timeout is requests.exceptions.Timeout]))
"""
BROKEN = """
import json
from trading_orchestrator.brokers.ccxt import lean_import
lean_import._HOMES = {"ccxt": (), "ccxt.async_support": (), "ccxt.pro": ("no.such.home",)}
lean_import._find_really, calls = lean_import._find, []
def fail_first(exchange):
    calls.append(exchange)
    if len(calls) == 1:
        raise ImportError("ccxt is laid out differently")
    return lean_import._find_really(exchange)
lean_import._find = fail_first
print(json.dumps([lean_import.exchange_class("binance").__module__, len(calls)]))
"""


def run(root: Path, program: str, *arguments: str) -> Any:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=root / "src", capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("exchange", "module"),
    [
        ("binance", "ccxt.pro.binance"),
        ("binanceusdm", "ccxt.pro.binanceusdm"),
        ("kraken", "ccxt.pro.kraken"),
        ("bitso", "ccxt.async_support.bitso"),
    ],
)
def test_an_exchange_comes_with_few_modules(root: Path, exchange: str, module: str) -> None:
    found, modules = run(root, LEAN, exchange)

    assert module == found
    assert modules < 40


def test_whoever_imports_ccxt_afterwards_gets_all_of_it(root: Path) -> None:
    expected = [True, "ccxt.kraken", True, "ccxt.pro.bybit", True, "ccxt.async_support.okx", True]

    assert expected == run(root, AFTERWARDS)


def test_a_ccxt_that_is_already_there_is_used(root: Path) -> None:
    assert [True] == run(root, BEFORE)


def test_requests_waits_for_the_first_exchange_that_blocks(root: Path) -> None:
    assert [[], True, True, "NetworkError", []] == run(root, BLOCKING)


def test_requests_is_used_where_it_is_here_already(root: Path) -> None:
    assert [True, True] == run(root, HERE_ALREADY)


def test_when_the_lean_way_fails_the_plain_one_is_taken(root: Path) -> None:
    assert ["ccxt.pro.binance", 2] == run(root, BROKEN)


def test_the_package_itself_imports_no_ccxt(root: Path) -> None:
    program = (
        "import json, sys\n"
        "import trading_orchestrator.brokers.ccxt.broker, trading_orchestrator.brokers.ccxt.feed\n"
        "print(json.dumps(sorted(name for name in sys.modules if name.split('.')[0] in ('ccxt', 'aiohttp'))))"
    )

    assert [] == run(root, program)
