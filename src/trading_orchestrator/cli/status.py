"""`status`: who lives, who holds what, and how the desks stand, read from the data directory alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.display import Column, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.journal.deaths import list_incarnations
from trading_orchestrator.keeper.keeper import told_address
from trading_orchestrator.keeper.node_spec import incarnations_dir
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.incidents.incident_log import LEASES as OWN_LEASES
from trading_orchestrator.storage.sqlite import open_store

NODES = (Column("node"), Column("pid", number=True), Column("alive"))
LEASES = (Column("lease"), Column("holder"), Column("epoch", number=True), Column("held"))
DESKS = (Column("desk"), Column("mode", status=True), Column("open orders", number=True),
         Column("unknown", number=True), Column("realized before fees", number=True))  # fmt: skip


def status(config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show nodes, leases and desks; works beside a running system and without one."""
    found = asyncio.run(_read(hall.find_data_dir(config, data_dir)))
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        _show(found)


async def _read(data_dir: Path) -> dict[str, Any]:
    clock = SystemClock()
    store = await open_store(data_dir / hall.JOURNAL_FILE, clock=clock, create=False)
    try:
        nodes = [
            {"node": node.words.node, "pid": node.words.pid, "alive": node.alive}
            for node in list_incarnations(incarnations_dir(data_dir))
        ]
        alive = {node["node"] for node in nodes if node["alive"]}
        leases = [
            {"lease": row.name, "holder": row.holder, "epoch": row.epoch, "held": row.holder in alive}
            for row in await store.leases()
            if not row.name.startswith(OWN_LEASES)
        ]
        desks = [msgspec.json.decode(row.value) for row in await store.rows("desks")]
        pos = max((head.pos for head in await store.heads()), default=0)
        dashboard = f"{told_address(data_dir)}/dashboard" if alive and told_address(data_dir) else None
        return {"nodes": nodes, "leases": leases, "desks": desks, "journal": {"pos": pos}, "dashboard": dashboard}
    finally:
        await store.close()


def _show(found: dict[str, Any]) -> None:
    console = screen()
    living = [node for node in found["nodes"] if node["alive"]]
    console.print(
        f"{len(living)} node{'s' * (len(living) != 1)} alive; journal at pos {found['journal']['pos']:,}"
        if living
        else "nothing runs on this data directory; start it with: trading-orchestrator run"
    )
    if found["dashboard"]:
        console.print(f"dashboard: {found['dashboard']}")
    leases = [(row["lease"], row["holder"], row["epoch"], _spelled(row["held"])) for row in found["leases"]]
    _table(console, "Nodes", NODES, [(node["node"], node["pid"], _spelled(node["alive"])) for node in living])
    _table(console, "Leases", LEASES, leases)
    _table(console, "Desks", DESKS, [_desk(row) for row in found["desks"]])


def _desk(row: dict[str, Any]) -> tuple[object, ...]:
    realized = ", ".join(f"{Decimal(amount):,.2f} {asset}" for asset, amount in sorted(row["realized"].items())) or "0"
    return row["desk"], row["mode"], row["open_orders"], row["unknown_orders"], realized


def _table(console: Console, title: str, columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        console.print()
        show_table(console, title, columns, rows)


def _spelled(yes: bool) -> str:
    return "yes" if yes else "no"
