"""examples/shop.py as its own process: its price service is killed, found, started anew, and reported."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.running_system import wait_until

COMMAND = Path(sys.executable).with_name("trading-orchestrator")
SHOP = Path(__file__).resolve().parents[3] / "examples" / "shop.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(*arguments: str) -> str:
    """Return what the command line says."""
    said = subprocess.run([str(COMMAND), *arguments], capture_output=True, text=True, timeout=60, check=False)
    return said.stdout + said.stderr


class Shop:
    """The running example."""

    def __init__(self, data_dir: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, str(SHOP), "--port", str(port), "--quotes-port", str(free_port())]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def get(self, path: str, **headers: str) -> httpx2.Response | None:
        try:
            return httpx2.get(f"{self.url}{path}", headers=headers, timeout=5)
        except httpx2.HTTPError:
            return None

    def incidents(self) -> list[dict[str, Any]]:
        answer = self.get("/api/incidents")
        return list(answer.json()["incidents"]) if answer is not None else []

    def is_well(self) -> bool:
        answer = self.get("/api/dashboard/health")
        if answer is None:
            return False
        parts = {part["name"]: part["state"] for part in answer.json()["parts"]}
        return bool(parts.get("dependency/quotes") == "healthy" == parts["pool/sales"])

    def quote_service(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    try:
        wait_until(shop.is_well, within_s=30, what="the shop to be well")
        yield shop
    finally:
        shop.process.send_signal(signal.SIGINT)
        shop.process.wait(15)


def test_a_killed_dependency_is_named_repaired_and_reported(shop: Shop) -> None:
    bought = httpx2.post(f"{shop.url}/buy/apple", timeout=5)
    killed = shop.quote_service()
    os.kill(killed.pid, signal.SIGKILL)

    (incident,) = wait_until(
        lambda: [one for one in shop.incidents() if one["state"] == "resolved"],
        within_s=30,
        what="the incident to be over",
    )
    report = shop.get(f"/api/incidents/{incident['incident_id']}", accept="text/markdown")
    again = httpx2.post(f"{shop.url}/buy/pear", timeout=5)

    assert {"thing": "apple", "price": "0.40"} == bought.json()
    assert ("dependency/quotes", "quotes.down", "start_quotes") == (
        incident["part"],
        incident["failure"],
        incident["ended_by"],
    )
    assert "start_quotes | 1 | done" in report.text if report else ""
    assert (200, {"thing": "pear", "price": "0.55"}) == (again.status_code, again.json())
    assert killed.pid != shop.quote_service().pid


def test_a_price_that_does_not_come_is_asked_for_again(shop: Shop) -> None:
    def asked_in_vain() -> bool:
        answer = shop.get("/api/circuits")
        circuits = {one["name"]: one for one in answer.json()["circuits"]} if answer is not None else {}
        return bool(circuits.get("dependency/quotes", {}).get("failed"))

    quotes = shop.quote_service()
    quotes.suspend()
    with ThreadPoolExecutor(max_workers=1) as buyer:
        buying = buyer.submit(httpx2.post, f"{shop.url}/buy/apple", timeout=10)
        try:
            wait_until(asked_in_vain, within_s=10, what="the first question to fail")
        finally:
            quotes.resume()
        bought = buying.result()

    assert (200, {"thing": "apple", "price": "0.40"}) == (bought.status_code, bought.json())


def test_a_circuit_is_opened_by_hand_and_a_feature_switched(shop: Shop) -> None:
    said = {"by": "ada", "reason": "the service moves"}
    opened = httpx2.post(f"{shop.url}/api/circuits/dependency/quotes/open", json=said, timeout=5)
    refused = httpx2.post(f"{shop.url}/buy/apple", timeout=5)
    listed = command("circuits", "list", "--url", shop.url, "--json")
    closed = command("circuits", "close", "dependency/quotes", "--by", "ada", "--reason", "it moved", "--url", shop.url)
    unknown = command("circuits", "open", "quotes", "--by", "ada", "--reason", "none", "--url", shop.url)
    allowed = httpx2.post(f"{shop.url}/buy/apple", timeout=5)
    switched = httpx2.post(f"{shop.url}/api/features/recovery", json={**said, "on": False}, timeout=5)
    form = httpx2.post(f"{shop.url}/api/features/recovery", data={"on": "true"}, timeout=5)
    lost = httpx2.post(f"{shop.url}/api/features/recovry", json={**said, "on": False}, timeout=5)
    facts = shop.get("/api/facts?limit=50")

    assert {"circuit": "dependency/quotes", "state": "forced_open"} == opened.json()
    states = {one["name"]: one["state"] for one in json.loads(listed)["circuits"]}
    assert {"pool/sales": "closed", "dependency/quotes": "forced_open", "channel/log": "closed"} == states
    assert "circuit dependency/quotes is closed\n" == closed
    assert "no circuit is named 'quotes'; known: " in unknown
    assert (500, 200) == (refused.status_code, allowed.status_code)
    assert [False] == [one["on"] for one in switched.json()["features"] if one["feature"] == "recovery"]
    assert (409, "request.body") == (form.status_code, form.json()["code"])
    assert "no feature is named 'recovry'; did you mean `recovery`?" == lost.json()["detail"]
    assert facts is not None
    kinds = [json.loads(json.dumps(fact))["kind"] for fact in facts.json()["facts"]]
    assert {"circuit.changed", "feature.switched"} <= set(kinds)
