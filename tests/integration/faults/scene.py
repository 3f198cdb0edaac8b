"""One desk that trades on a real venue process, a market that moves when told to, and the judge at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import msgspec
from typer.testing import CliRunner

from tests.chaos.judge import Evidence, JournalFact, read_journal, wrongs
from tests.integration.desk.conftest import ACCOUNT, Seat
from tests.integration.faults.first_quote import FromTheNextTick
from tests.leases import holder_of
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.cli.orders import build as build_cli
from trading_orchestrator.journal.leases import HeldLease, LeaseKeeper
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import LeaseHeld
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk

SYMBOL = "EUR/USDT"
STRATEGIES = "tests.unit.desk.strategies"
RESTING_PX = "1.09"
"""Ten ticks and more below every bid that a test sets, until it crosses the order on purpose."""
SOON_S = 2.0
"""How soon after the venue is honest again the journal has to be right."""
GRACE_S = 0.6
TIMEOUT_S = 0.4
STATES = {
    "NEW": "new",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
}
SETTINGS: dict[str, Any] = {
    "broker": "practice",
    "symbols": [SYMBOL],
    "grace_s": GRACE_S,
    "ask_first_s": 0.05,
    "ask_longest_s": 0.4,
    "poll_trades_s": 0.4,
    "poll_orders_s": 0.4,
    "poll_overlap_s": 1.0,
    "compare_s": 0.5,
    "quiet_s": 0.3,
    "risk": {"max_orders_per_s": 500, "price_collar_ratio": "0.5"},
}
REACH: dict[str, Any] = {
    "timeout_s": TIMEOUT_S,
    "validity_s": 0.8,
    "ping_s": 0.2,
    "quiet_s": 0.5,
    "lag_s": 0.3,
    "reconnect_first_s": 0.05,
    "reconnect_most_s": 0.4,
}


class Scene:
    """The venue, the journal and the desks opened on them; `judge` ends every test."""

    def __init__(self, venue: VenueProcess, store: SqliteStore, journal: Path) -> None:
        self.venue = venue
        self.store = store
        self.journal = journal
        self.host, self.port = venue.host, venue.port
        self._clock = SystemClock()
        self._clients: list[CcxtClient] = []
        self._desks: list[Desk] = []
        self._held: list[HeldLease] = []
        self._ticks = 0
        self.shows_first_quote = False

    # -- the desk

    async def open(
        self,
        *,
        settings: dict[str, Any] | None = None,
        strategy: str = "Buyer",
        succession: Succession = Succession.PROVED_DEATH,
        **params: Any,
    ) -> Desk:
        """Seat a desk with one strategy of these parameters.

        Args:
            succession: how it comes by the lease when one held it before: dead at once, or waited for until it expired.
        """
        desk = self._desk(settings or {}, f"{STRATEGIES}:{strategy}", params)
        await desk.warm()
        keeper = LeaseKeeper(self.store, self._clock, holder=f"node-{len(self._held)}")
        held = await self._claim(keeper, desk.lease, is_dead=succession is Succession.PROVED_DEATH)
        self._held.append(held)
        await desk.take(Seat(held, Succession.FIRST if held.epoch == 1 else succession))
        return desk

    async def _claim(self, keeper: LeaseKeeper, lease: str, *, is_dead: bool) -> HeldLease:
        while True:
            try:
                return await keeper.claim(lease, dead_holder=await holder_of(self.store, lease) if is_dead else "")
            except LeaseHeld:
                await asyncio.sleep(0.05)

    async def copy_journal(self, to: Path) -> None:
        """Copy the journal as a backup does."""
        await self.store.close()
        ours, copy = apsw.Connection(str(self.journal)), apsw.Connection(str(to))
        with closing(ours), closing(copy), copy.backup("main", ours, "main") as backup:
            backup.step(-1)
        self.store = await open_store(self.journal, clock=self._clock)

    async def put_journal_back(self, copy: Path) -> None:
        """Replace the journal by its copy, with every desk and the store closed meanwhile."""
        await self.close()
        await self.store.close()
        for suffix in ("-wal", "-shm"):
            self.journal.with_name(self.journal.name + suffix).unlink(missing_ok=True)
        self.journal.write_bytes(copy.read_bytes())
        await self.reopen()

    async def reopen(self, journal: Path | None = None) -> None:
        """Open the journal anew, or go on with another one."""
        await self.store.close()
        self.journal = journal or self.journal
        self.store = await open_store(self.journal, clock=self._clock)

    async def close(self) -> None:
        for desk in self._desks:
            await desk.close()
        for held in self._held:
            await held.abandon()
        self._desks, self._held = [], []

    def _desk(self, settings: dict[str, Any], kind: str, params: dict[str, Any]) -> Desk:
        strategy = {"name": "s", "class": kind, "params": {"qty": "10"} | params}
        config = CcxtConfig(api_key=f"{ACCOUNT}-key", secret=f"{ACCOUNT}-secret", urls={"api": self.urls()}, **REACH)
        client = CcxtClient(config, clock=self._clock)
        self._clients.append(client)
        desk = Desk(
            "paper",
            build(DeskConfig, SETTINGS | {"strategies": [strategy]} | settings, source="test"),
            store=self.store,
            node=f"node-{len(self._desks)}",
            broker=CcxtBroker(config, clock=self._clock, client=client),
            feed=FromTheNextTick(
                config, clock=self._clock, client=client, ticks=lambda: -1 if self.shows_first_quote else self._ticks
            ),
            clock=self._clock,
        )
        self._desks.append(desk)
        return desk

    def urls(self) -> Any:
        """Return where a client finds the venue: at `host` and `port`, which a test may change."""
        text = msgspec.json.encode(self.venue.ccxt_urls()).decode()
        return msgspec.json.decode(text.replace(f"{self.venue.host}:{self.venue.port}", f"{self.host}:{self.port}"))

    def forget_addresses(self) -> None:
        """Empty the clients' caches of resolved names, which keep an answer for seconds."""
        for client in self._clients:
            client.exchange.tcp_connector.clear_dns_cache()

    # -- the market

    def tick(self, *, bid: str = "", ask: str = "", qty: str = "1000") -> None:
        """Show a new quote: the Buyer decides at each. Without prices it is the usual one, a tick off the last."""
        self._ticks += 1
        usual = Decimal("1.10000") + Decimal("0.00001") * (self._ticks % 2)
        bid = bid or str(usual)
        body = {"bid": bid, "ask": ask or str(Decimal(bid) + Decimal("0.00010")), "bid_qty": qty, "ask_qty": qty}
        self.venue.control("POST", "market", body)

    def moving(self, look: Callable[[], object]) -> Callable[[], object]:
        """Return `look` with a new quote shown before each look."""

        def moved() -> object:
            self.tick()
            return look()

        return moved

    def cross(self, qty: str = "1000") -> None:
        """Let the market trade through the resting orders, at most `qty`, and come back."""
        self.tick(bid="1.08000", ask="1.08900", qty=qty)
        self.tick(bid="1.09500", qty="1000")

    # -- what became of it

    def facts(self, *kinds: str) -> list[JournalFact]:
        return [fact for fact in read_journal(self.journal) if not kinds or fact.kind in kinds]

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts()]

    def accepted(self) -> list[dict[str, Any]]:
        """Return the orders that the venue took from us, by its log."""
        return [fact for fact in self.venue.log("order.accepted") if not fact["external"]]

    def posted(self) -> int:
        """Return how many requests to place an order a fault met."""
        return len([fact for fact in self.venue.log("fault.acted") if fact["call"] == "order.place"])

    def streams(self, kind: str = "user_stream") -> list[int]:
        """Return when clients opened such a stream, in ms."""
        return [fact["at_ms"] for fact in self.venue.log("stream.opened") if fact["stream"] == kind]

    async def story(self, order_id: str) -> str:
        """Return what `orders explain` prints of an order, in one line and without its table's spacing."""
        command = ["explain", order_id, "--data-dir", str(self.journal.parent)]
        said = await asyncio.to_thread(CliRunner().invoke, build_cli(), command, env={"COLUMNS": "400"})
        assert said.exit_code == 0, said.output
        return " ".join(said.output.split())

    async def rows(self, projection: str) -> list[dict[str, Any]]:
        return [msgspec.json.decode(row.value) for row in await self.store.rows(projection, limit=10_000)]

    async def states(self) -> list[str]:
        """Return the states of all orders as the journal holds them, oldest first."""
        rows = sorted(await self.rows("orders"), key=lambda row: row["created_ns"])
        return [row["state"] for row in rows]

    async def settled(self, *, within_s: float = SOON_S) -> list[str]:
        """Return the states of all orders once none is in doubt any more, or as they are at the end of the wait."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + within_s
        while "unknown" in (states := await self.states()) and loop.time() < ends_s:  # noqa: ASYNC110 - as in `until`
            await asyncio.sleep(0.02)
        return states

    async def until(self, look: Callable[[], object], *, what: str, within_s: float = SOON_S) -> None:
        """Return once `look` is true; fail naming what never came."""
        try:
            async with asyncio.timeout(within_s):
                while not look():  # noqa: ASYNC110 - what is waited for is in files, not in this loop
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"within {within_s} s never: {what}; {self.kinds()[-12:]}") from None

    async def judge(self, *, within_s: float = SOON_S) -> None:
        """Wait until venue and journal agree, at most `within_s`; then look back: was the journal ever wrong?"""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + within_s
        while (wrong := await self._wrongs()) and loop.time() < ends_s:  # noqa: ASYNC110 - it is in files
            await asyncio.sleep(0.02)
        assert [] == wrong, f"not within {within_s} s: {wrong}; the journal's last facts: {self.kinds()[-12:]}"
        assert [] == self._lies(), self._lies()

    async def judge_adopted(self, *, within_s: float = SOON_S) -> None:
        """As `judge`, for a journal that lost intents: what it adopted counts for intended."""
        adopted = {fact.body["report"]["cl_ord_id"] for fact in self.facts("order.adopted")}
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + within_s
        while True:
            wrong = [each for each in await self._wrongs() if not any(name in each for name in adopted)]
            if not wrong or loop.time() > ends_s:
                break
            await asyncio.sleep(0.02)
        assert [] == wrong, wrong
        states = {row["cl_ord_id"]: (row["state"], Decimal(row["cum_qty"])) for row in await self.rows("orders")}
        for order in self.venue.account_state(ACCOUNT)["orders"]:
            expected = (STATES[order["status"]], Decimal(order["executedQty"]))
            assert expected == states[order["clientOrderId"]], order["clientOrderId"]

    async def _wrongs(self) -> list[str]:
        rows = {row["cl_ord_id"]: row for row in await self.rows("orders")}
        found = wrongs(Evidence(self.venue.log(), read_journal(self.journal)))
        orders = self.venue.account_state(ACCOUNT)["orders"]
        for order in orders:
            row = rows.get(order["clientOrderId"], {"state": "absent", "cum_qty": "0"})
            ours, theirs = (
                (row["state"], Decimal(row["cum_qty"])),
                (STATES[order["status"]], Decimal(order["executedQty"])),
            )
            if ours != theirs:
                found.append(f"order {order['clientOrderId']}: expected {theirs}, was {ours}")
        ended = {order["clientOrderId"] for order in orders}
        found += [f"order {name}: {row['state']}, and the venue has none" for name, row in rows.items()
                  if name not in ended and row["state"] not in ("rejected", "abandoned")]  # fmt: skip
        venue_qty = Decimal(0)
        for trade in self.venue.account_state(ACCOUNT)["trades"]:
            venue_qty += Decimal(trade["qty"]) if trade["isBuyer"] else -Decimal(trade["qty"])
        ours_qty = sum((fact_qty(row) for row in await self.rows("trades")), Decimal(0))
        if venue_qty != ours_qty:
            found.append(f"trades: expected a sum of {venue_qty}, was {ours_qty}")
        return found

    def _lies(self) -> list[str]:
        """I4: an order that the venue took was never called refused, abandoned or quarantined."""
        taken = {order["client_order_id"] for order in self.accepted()}
        denied = self.facts("order.refused", "order.abandoned", "order.quarantined")
        return [f"{fact.kind} of {fact.body['cl_ord_id']}" for fact in denied if fact.body["cl_ord_id"] in taken]


def fact_qty(row: dict[str, Any]) -> Decimal:
    qty = Decimal(row["last_qty"])
    return qty if row["side"] == "buy" else -qty
