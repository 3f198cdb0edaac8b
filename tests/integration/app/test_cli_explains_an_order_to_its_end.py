"""`orders explain` tells every fact of one order, whatever it is called by, and where it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence

import httpx2
import pytest

from tests.integration.app.conftest import Cli
from tests.integration.app.traded_journal import TradedJournal
from trading_orchestrator.app.story_routes import story_routes
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.ports import Fact, Fence, NewFact, Put
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading import order_facts
from trading_orchestrator.trading.explain import explain
from trading_orchestrator.trading.find_order import AmbiguousId


def test_a_ghost_is_told_from_intent_over_doubt_to_adoption(cli: Cli, traded: TradedJournal) -> None:
    story = json.loads(cli("orders", "explain", traded.ghost, "--json").stdout)

    assert [
        ("order.intended", "desk", "pending_new"),
        ("order.doubted", "desk", "unknown"),
        ("order.accepted", "query", "new"),
        ("lease.claimed", "cluster", "new"),
        ("desk.reconciled", "desk", "new"),
        ("cancel.intended", "desk", "new"),
        ("order.ended", "account stream", "canceled"),
    ] == [(line["kind"], line["source"], line["state"]) for line in story["lines"]]
    assert "no answer within 0.3 s): UNKNOWN" in story["lines"][1]["sentence"]
    assert "adopted by asking the venue for it: the venue has it as venue order 2, new" == story["lines"][2]["sentence"]
    assert "It is canceled; 0 of 10 traded." == story["standing"]
    assert sorted(line["offset_ms"] for line in story["lines"]) == [line["offset_ms"] for line in story["lines"]]


def test_a_takeover_is_told_before_what_the_heir_did(cli: Cli, traded: TradedJournal) -> None:
    said = cli("orders", "explain", traded.taken_over).stdout.splitlines()

    took_over = next(index for index, line in enumerate(said) if "node node-0 died" in line)
    assert "node node-1 took over with epoch 2 and acted 21 ms later" in said[took_over]
    assert "-- node node-0, epoch 1" in said[:took_over]
    assert "-- node node-1, epoch 2" == said[took_over - 1]
    assert "compared itself with the venue after its start (proved death)" in said[took_over + 1]


def test_a_proof_of_absence_lists_its_questions(cli: Cli, traded: TradedJournal) -> None:
    story = json.loads(cli("orders", "explain", traded.absent, "--json").stdout)

    asked = [one for one in story["lines"][-1]["details"] if one.startswith("asked: not found")]
    assert asked[-1].endswith(f"({len(asked)} of {len(asked)})")
    assert len(asked) >= 3
    assert "abandoned" == story["state"]


def test_an_order_of_before_the_takeover_does_not_hear_of_it(cli: Cli, traded: TradedJournal) -> None:
    said = cli("orders", "explain", traded.filled).stdout

    assert "took over" not in said
    assert "trade 1: 10 of 10 at 0.9999, fee 0.009999 USDT" in said
    assert "filled: It is filled: 10 at 0.9999." == said.splitlines()[-1]


def test_it_is_found_by_each_of_its_ids(cli: Cli, traded: TradedJournal) -> None:
    whole = cli("orders", "explain", traded.ghost).stdout
    names = (
        traded.ghost[:10],
        traded.intent_of_ghost,
        traded.venue_id_of_ghost,
        f"EUR/USDT#{traded.venue_id_of_ghost}",
    )

    assert [whole] * len(names) == [cli("orders", "explain", name).stdout for name in names]


def test_a_beginning_that_fits_several_names_them(cli: Cli, traded: TradedJournal) -> None:
    error = cli("orders", "explain", "tro").exception

    assert isinstance(error, AmbiguousId)
    assert traded.ghost in error.message
    assert "4 orders answer to 'tro'" in error.message


def test_an_id_of_no_order_says_how_to_list_them(cli: Cli) -> None:
    error = cli("orders", "explain", "nothing").exception

    assert isinstance(error, Refused)
    assert "trading-orchestrator orders list" in error.message


async def test_the_api_tells_the_same_story(cli: Cli, traded: TradedJournal) -> None:
    store = await open_store(traded.folder / "journal.db", clock=SystemClock(), create=False)
    operations = PerpetualOperationsManager(
        OperationsConfig(),
        store=store,
        clock=SystemClock(),
        data_dir=traded.folder,
        more_routes=lambda: [story_routes(store)],
    )
    try:
        transport = httpx2.ASGITransport(app=operations.console_app())
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.get(f"/api/orders/{traded.ghost}/story")
            missing = await client.get("/api/orders/nothing/story")
            ambiguous = await client.get("/api/orders/tro/story")
            described = (await client.get("/api/openapi.json")).json()
    finally:
        await store.close()

    assert traded.ghost == answer.json()["cl_ord_id"]
    assert "adopted by asking the venue for it" in answer.text
    assert (404, "orders.not_found") == (missing.status_code, missing.json()["code"])
    assert (409, "orders.ambiguous") == (ambiguous.status_code, ambiguous.json()["code"])
    assert "/api/orders/{order_id}/story" in described["paths"]


class CountingStore:
    """A journal that counts the facts it hands out."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.facts_read = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def read_before(self, **asked: object) -> Sequence[Fact]:
        return self._count(await self._store.read_before(**asked))  # type: ignore[attr-defined]

    async def read(self, **asked: object) -> Sequence[Fact]:
        return self._count(await self._store.read(**asked))  # type: ignore[attr-defined]

    def _count(self, facts: Sequence[Fact]) -> Sequence[Fact]:
        self.facts_read += len(facts)
        return facts


async def test_what_lies_before_the_birth_and_after_the_end_is_not_read(
    traded: TradedJournal, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_facts, "PAGE", 50)
    old = await open_store(traded.folder / "journal.db", clock=SystemClock(), create=False)
    new = await open_store(tmp_path_factory.mktemp("long") / "journal.db", clock=SystemClock())
    try:
        lease = await new.claim_lease("desk/paper", holder="n", ttl_s=60)
        fence = Fence("desk/paper", lease.epoch)
        noise = [NewFact("desk/paper", "cursor.advanced", {"symbol": "X/Y", "trade_id": str(n)}) for n in range(1_000)]
        lived = [NewFact(fact.stream, fact.kind, _json(fact.body)) for fact in await old.read(stream="desk/paper")]
        rows = {name: await old.rows(name) for name in ("orders", "desks")}
        await new.append(noise, node="n", fence=fence)
        puts = [Put(name, row.key, _json(row.value)) for name, found in rows.items() for row in found]
        await new.append(lived, node="n", fence=fence, puts=puts)
        await new.append(noise, node="n", fence=fence)
        counting = CountingStore(new)
        story = await explain(counting, traded.filled)  # type: ignore[arg-type]
    finally:
        await old.close()
        await new.close()

    assert "It is filled: 10 at 0.9999." == story.standing
    assert counting.facts_read <= len(lived) + 2 * 50


def _json(body: bytes) -> object:
    return json.loads(body)
