"""`status`: who lives, who holds what, and how the desks stand, read from the data directory alone."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.journal.deaths import list_incarnations
from trading_orchestrator.keeper.keeper import told_address
from trading_orchestrator.keeper.node_spec import incarnations_dir
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.incidents.incident_log import LEASES as OWN_LEASES
from trading_orchestrator.storage.sqlite import open_store


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
    console = Console()
    living = [node for node in found["nodes"] if node["alive"]]
    console.print(
        f"{len(living)} node{'s' * (len(living) != 1)} alive; journal at pos {found['journal']['pos']:,}"
        if living
        else "nothing runs on this data directory; start it with: trading-orchestrator run"
    )
    if found["dashboard"]:
        console.print(f"dashboard: {found['dashboard']}")
    _table(console, "Nodes", ["node", "pid", "alive"], living)
    _table(console, "Leases", ["lease", "holder", "epoch", "held"], found["leases"])
    _table(
        console, "Desks", ["desk", "mode", "open orders", "unknown", "profit"], [_desk(row) for row in found["desks"]]
    )


def _desk(row: dict[str, Any]) -> dict[str, Any]:
    profit = ", ".join(f"{Decimal(amount):,.2f} {asset}" for asset, amount in sorted(row["realized"].items())) or "0"
    return {"open orders": row["open_orders"], "profit": profit, "unknown": row["unknown_orders"]} | {
        key: row[key] for key in ("desk", "mode")
    }


def _table(console: Console, title: str, columns: list[str], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_spelled(row[column]) for column in columns))
    console.print(table)


def _spelled(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
