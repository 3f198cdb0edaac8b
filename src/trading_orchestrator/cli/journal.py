"""`journal`: questions to the journal file itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from trading_orchestrator.app import settings as hall
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.cli.display import local_moment, screen
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.cli.reading import ask
from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.verify import VerifyReport
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.storage.ports import Fact, FactStore, Fence, LeaseHeld, LeaseRow
from trading_orchestrator.trading.rebuild import Rebuilt, rebuild_rows

PAGE = 1_000
LOOK_AGAIN_S = 1.0
OPERATOR = "operator"
REBUILD_TTL_S = 600.0
"""Longer than the rebuild of a large desk takes; it is given back at the end."""


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="Questions to the journal file.", no_args_is_help=True)
    app.callback()(lambda: None)
    app.command("verify")(verify_journal)
    app.command("tail")(tail)
    app.command("rebuild-projections")(rebuild_projections)
    return app


def verify_journal(config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Check every stream's hash chain; exit 1 and name the first broken link if there is one. Reads only."""
    report = verify(hall.find_data_dir(config, data_dir) / hall.JOURNAL_FILE)
    print(msgspec.json.encode(report).decode() if as_json else _sentence(report))
    sys.exit(0 if report.ok else 1)


def rebuild_projections(
    config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False
) -> None:
    """Write every desk's rows (orders, trades, positions, desks, snapshot) again from its facts.

    They are a cache: whatever was deleted or damaged in them comes back, and what no fact explains goes. It takes each
    desk's lease meanwhile, so stop the system first; interrupted, it is begun again.
    """
    done = ask(config, data_dir, _rebuilt)
    if as_json:
        print(json_line({desk: rebuilt._asdict() for desk, rebuilt in done.items()}))
        return
    for desk, rebuilt in done.items():
        print(f"desk {desk}: {rebuilt.rows:,} rows from {rebuilt.facts:,} facts, {rebuilt.removed:,} removed")
    if not done:
        print("no desk has acted on this journal yet")


async def _rebuilt(store: FactStore) -> dict[str, Rebuilt]:
    """Rebuild under each desk's lease in turn.

    Raises:
        Refused: a node holds one; the sentence names it.
    """
    streams = [head.stream for head in await store.heads() if head.stream.startswith("desk/")]
    done: dict[str, Rebuilt] = {}
    for stream in sorted(streams):
        row = await _claimed(store, stream)
        try:
            fence = Fence(stream, row.epoch)
            done[stream.removeprefix("desk/")] = await rebuild_rows(
                store, stream.removeprefix("desk/"), node=OPERATOR, fence=fence
            )
        finally:
            await store.release_lease(stream, holder=OPERATOR, epoch=row.epoch)
    return done


async def _claimed(store: FactStore, stream: str) -> LeaseRow:
    try:
        return await store.claim_lease(stream, holder=OPERATOR, ttl_s=REBUILD_TTL_S)
    except LeaseHeld as held:
        desk, holder = stream.removeprefix("desk/"), held.facts.get("holder")
        raise Refused(f"desk {desk} is held by node {holder}, which writes its rows: stop the system first") from None


def tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with facts as they are written.")] = False,
    stream: Annotated[
        str | None, typer.Option("--stream", help="Only this stream, e.g. `cluster` or `desk/practice`.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only this kind, e.g. `trade.booked`; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, max=100_000, help="So many of the newest.")] = 20,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest facts, oldest of them first; with --json one object a line. Reads only."""
    console = screen()
    kinds = tuple(kind or ())

    def say(facts: Sequence[Fact]) -> None:
        for fact in facts:
            _print_fact(console, fact, as_json=as_json)
        sys.stdout.flush()

    async def tailed(store: FactStore) -> None:
        await _check_stream(store, stream)
        after_pos = max((head.pos for head in await store.heads()), default=0)
        say(await _newest(store, stream, kinds, limit, after_pos))
        while follow:
            head_pos = await store.wait_change(after_pos, LOOK_AGAIN_S)
            while page := await store.read(stream=stream, after_pos=after_pos, limit=PAGE, kinds=kinds):
                say(page)
                after_pos = page[-1].pos
            after_pos = max(after_pos, head_pos)

    ask(config, data_dir, tailed)


async def _check_stream(store: FactStore, stream: str | None) -> None:
    known = [head.stream for head in await store.heads()]
    if stream is not None and stream not in known:
        raise Refused(f"no stream {stream!r} in this journal; {nearest(stream, known) if known else 'it is empty'}")


async def _newest(
    store: FactStore, stream: str | None, kinds: Sequence[str], limit: int, until_pos: int
) -> Sequence[Fact]:
    """Return the newest facts up to a position, oldest first."""
    found: list[Fact] = []
    before_pos: int | None = until_pos + 1
    while before_pos is not None and len(found) < limit:
        page = await store.read_before(stream=stream, before_pos=before_pos, limit=PAGE if kinds else limit)
        found += [fact for fact in page if not kinds or fact.kind in kinds]
        before_pos = page[-1].pos if kinds and len(page) == PAGE else None
    return found[:limit][::-1]


def _print_fact(console: Console, fact: Fact, *, as_json: bool) -> None:
    if as_json:
        hashes = {"prev_hash": fact.prev_hash.hex(), "hash": fact.hash.hex()}
        print(json_line(msgspec.structs.asdict(fact) | hashes | {"body": msgspec.Raw(fact.body)}))
        return
    line = Text(f"{local_moment(fact.at_ns)}  {fact.pos:>8}  ")
    line.append(f"{fact.stream}  {fact.node}#{fact.epoch}  ", style="dim")
    line.append(f"{fact.kind}  ", style="bold")
    line.append(fact.body.decode())
    console.print(line, soft_wrap=not console.is_terminal, no_wrap=True, overflow="ellipsis")


def _sentence(report: VerifyReport) -> str:
    whole = f"{report.facts:,} facts in {report.streams} streams"
    if report.broken is None:
        return f"verified: {whole}, every link holds up to pos {report.last_pos}"
    link = report.broken
    where = f"stream {link.stream} at seq {link.seq} (pos {link.pos})" if link.stream else f"pos {link.pos}"
    return (
        f"BROKEN at {where}: {link.what}\n{whole} before it read back as written. "
        "Stop the program, keep this file, and restore the last backup."
    )
