"""`desks`: each desk's mode, who holds it, what is open or unknown, and what it has earned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.display import Column, amounts, local_moment, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.cli.reading import ask, fields_of
from trading_orchestrator.journal.deaths import list_incarnations
from trading_orchestrator.keeper.node_spec import incarnations_dir
from trading_orchestrator.storage.ports import FactStore, LeaseRow

MOST = 1_000
STYLES = {"killed": "bold red", "halted": "bold red"}
COLUMNS = (
    Column("desk"),
    Column("mode", status=True),
    Column("held by"),
    Column("epoch", number=True),
    Column("open", number=True),
    Column("unknown", number=True),
    Column("orders", number=True),
    Column("trades", number=True),
    Column("realized", number=True),
    Column("blocked"),
    Column("last fact"),
)


def desks(config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show every desk of this journal. Reads only; works beside a running system and without one."""
    folder = hall.find_data_dir(config, data_dir)
    found = ask(config, data_dir, lambda store: _found(store, folder))
    if as_json:
        print(json_line({"desks": found}))
    elif not found:
        print("no desk has acted on this journal yet")
    else:
        console = screen()
        show_table(console, "Desks", COLUMNS, [_cells(row) for row in found])
        for row in found:
            if row["mode"] != "normal":
                console.print(escape(_why(row)), style=STYLES.get(row["mode"], "yellow"), soft_wrap=True)


def _why(row: dict[str, Any]) -> str:
    """Return what a desk that does not trade normally is, who said so, and what ends it."""
    name, why = row["desk"], row.get("mode_reason") or "no reason given"
    if row["mode"] == "killed":
        verified = "nothing of ours is open, verified twice" if row.get("kill_verified") else "NOT yet verified empty"
        return f"{name}: KILL SWITCH ON ({why}); no order leaves; {verified}; `desk resume {name}` lifts it"
    if row["mode"] == "unarmed":
        return f"{name}: not armed ({why}); no order leaves; `desk arm {name}` lets them"
    return f"{name}: {row['mode'].replace('_', ' ')} ({why}); `desk resume {name}` ends it"


async def holder_of(store: FactStore, folder: Path, desk: str) -> str | None:
    """Return the living node that holds the desk, None when nobody does."""
    alive = {found.words.node for found in list_incarnations(incarnations_dir(folder)) if found.alive}
    lease = next((row for row in await store.leases() if row.name == f"desk/{desk}"), None)
    holder: str | None = _holding(lease, alive)["held_by"]
    return holder


async def _found(store: FactStore, folder: Path) -> list[dict[str, Any]]:
    alive = {found.words.node for found in list_incarnations(incarnations_dir(folder)) if found.alive}
    leases = {row.name: row for row in await store.leases()}
    rows = [fields_of(row) for row in await store.rows("desks", limit=MOST)]
    return [row | _holding(leases.get(f"desk/{row['desk']}"), alive) for row in sorted(rows, key=lambda r: r["desk"])]


def _holding(lease: LeaseRow | None, alive: set[str]) -> dict[str, Any]:
    """A lease counts as held while its holder is proved to live and has not released it."""
    holder = lease.holder if lease is not None and lease.expires_ns and lease.holder in alive else None
    return {"held_by": holder, "epoch": lease.epoch if lease is not None else 0}


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    realized = amounts(row["realized"]) or "0"
    counts = row["counts"]
    return (
        *(row["desk"], row["mode"], row["held_by"] or "nobody", row["epoch"]),
        *(row["open_orders"], row["unknown_orders"], counts.get("orders", 0), counts.get("trades", 0), realized),
        ", ".join(f"{symbol} ({code})" for symbol, code in sorted(row["blocked"].items())),
        local_moment(row["updated_ns"]),
    )
