"""`kill -9` in the middle of writing: what was acknowledged is there, and every chain holds."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.integration.journal.processes import line_of, rest_of, running
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store

KILLS = 8


async def numbers_in(path: Path) -> list[int]:
    store = await open_store(path, clock=SystemClock(), create=False)
    numbers: list[int] = []
    after_pos = 0
    while page := await store.read(after_pos=after_pos):
        numbers += [msgspec.json.decode(fact.body)["number"] for fact in page]
        after_pos = page[-1].pos
    await store.close()
    return numbers


async def test_a_writer_killed_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    acknowledged: set[int] = set()
    for kill in range(KILLS):
        with running("writer_process.py", path, kill * 1_000_000, 0) as writer:
            assert "open" == line_of(writer)
            lines = [line_of(writer) for _ in range(5 + 17 * kill)]
            writer.kill()
            acknowledged |= {int(line.split()[0]) for line in lines + rest_of(writer)}
        report = verify(path)
        assert report.broken is None, report
        assert report.facts >= len(acknowledged)

    numbers = await numbers_in(path)

    assert len(numbers) == len(set(numbers))
    assert set() == acknowledged - set(numbers)
    assert len(numbers) - len(acknowledged) <= KILLS  # at most the one under way at each kill
    print(f"\n{KILLS} kills, {len(acknowledged)} facts acknowledged, {len(numbers)} kept, chain verified")


async def test_two_processes_write_one_file_and_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with (
        running("writer_process.py", path, 0, 300) as stays,
        running("writer_process.py", path, 1_000_000, 0) as dies,
    ):
        assert ["open", "open"] == [line_of(stays), line_of(dies)]
        for _ in range(60):
            line_of(dies)
        dies.kill()
        acknowledged = {int(line.split()[0]) for line in rest_of(stays)}
        assert 0 == stays.wait()

    assert set(range(300)) == acknowledged
    assert acknowledged <= set(await numbers_in(path))
    assert verify(path).ok


async def test_several_processes_create_one_journal_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.db"
    with (
        running("writer_process.py", path, 0, 20) as first,
        running("writer_process.py", path, 100, 20) as second,
        running("writer_process.py", path, 200, 20) as third,
    ):
        assert [0, 0, 0] == [process.wait() for process in (first, second, third)]

    assert 60 == len(await numbers_in(path))
    assert verify(path).ok
