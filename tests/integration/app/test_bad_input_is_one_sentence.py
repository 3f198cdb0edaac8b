"""Whatever is wrong at the start: one sentence that says what to do, exit code not 0, no data touched."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from trading_orchestrator.app.settings import practice_toml

pytestmark = pytest.mark.integration
COMMAND = Path(sys.executable).with_name("trading-orchestrator")


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Return exit code and what was said."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [str(COMMAND), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, env=environ, check=False)
    return done.returncode, done.stdout + done.stderr


def the_sentence(said: str) -> str:
    """Return the one line that is ours; a traceback would be more."""
    lines = [line for line in said.splitlines() if line.startswith("trading-orchestrator: ")]
    assert "Traceback" not in said, said
    assert 1 == len(lines), said
    return lines[0].removeprefix("trading-orchestrator: ")


def config(folder: Path, old: str = "", new: str = "") -> Path:
    text = practice_toml().read_text(encoding="utf-8")
    assert old in text
    path = folder / "some.toml"
    path.write_text(text.replace(old, new) if old else text)
    return path


def start(folder: Path, *more: str) -> tuple[int, str]:
    return run(folder, "run", "--practice", "--port", "0", "--data-dir", str(folder / "data"), *more)


def digest(folder: Path) -> dict[str, str]:
    """Return every file and folder there is, and what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal as a first run leaves it, with what stands beside it."""
    path = tmp_path / "data" / "journal.db"
    (path.parent / "venue").mkdir(parents=True)
    (path.parent / "incarnations").mkdir()
    (path.parent / "venue" / "venue.log.jsonl").write_text("")
    (path.parent / "keeper.lock").write_text("1\nhttp://127.0.0.1:1\n")
    done = subprocess.run(
        [sys.executable, "-c", MAKE_JOURNAL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stderr
    return path


PAGE_BYTES = 4096
MAKE_JOURNAL = """
import asyncio, sys
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.storage.sqlite import open_store

async def main():
    store = await open_store(sys.argv[1], clock=SystemClock())
    for number in range(50):
        fact = NewFact("config", "config.changed", {"number": number, "pad": "x" * 500})
        await store.append([fact], node="n", fence=None)
    unread = [NewFact("access", "access.seen", {"number": number, "pad": "x" * 500}) for number in range(500)]
    await store.append(unread, node="n", fence=None)
    await store.checkpoint()
    await store.close()

asyncio.run(main())
"""


def test_no_config_at_all(tmp_path: Path) -> None:
    code, said = run(tmp_path, "run")

    assert 2 == code
    assert "write one with `trading-orchestrator init`" in the_sentence(said)


def test_a_config_file_that_is_not_there(tmp_path: Path) -> None:
    code, said = start(tmp_path, "--config", "nowhere.toml")

    assert 2 == code
    assert "nowhere.toml does not exist; write one with" in the_sentence(said)


def test_wrong_toml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[keeper]\nport = = 1\n")
    code, said = start(tmp_path, "--config", "bad.toml")

    assert 2 == code
    assert "line 2" in the_sentence(said)


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    code, said = start(tmp_path, "--config", str(config(tmp_path, "hang_kill_s", "hang_kil_s")))

    assert 2 == code
    assert "unknown key `keeper.hang_kil_s`; did you mean `hang_kill_s`?" in the_sentence(said)


def test_an_unknown_strategy_names_the_nearest(tmp_path: Path) -> None:
    code, said = start(tmp_path, "--config", str(config(tmp_path, ":MarketMaker", ":MarketMakr")))

    assert 2 == code
    assert "did you mean `MarketMaker`?" in the_sentence(said)


def test_an_unknown_broker_names_the_nearest(tmp_path: Path) -> None:
    code, said = start(tmp_path, "--config", str(config(tmp_path, 'broker = "practice"', 'broker = "practise"')))

    assert 2 == code
    assert "did you mean `practice`?" in the_sentence(said)


def test_an_unknown_exchange_names_the_nearest(tmp_path: Path) -> None:
    code, said = start(tmp_path, "--config", str(config(tmp_path, '"binance"', '"binanc"')))

    assert 2 == code
    assert the_sentence(said).endswith("(did you mean `binance`?)")


def test_a_wrong_parameter_of_a_strategy(tmp_path: Path) -> None:
    code, said = start(tmp_path, "--config", str(config(tmp_path, 'qty = "50"', 'qty = "many"')))

    assert 2 == code
    assert "qty" in the_sentence(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "trend"', 'name = "maker"', "strategy `maker`: the name is used twice"),
        ('{ symbol = "EUR/USDT", qty = "100"', '{ symbol = "EUR/USD", qty = "100"', "did you mean `EUR/USDT`?"),
    ],
    ids=["a name twice", "a symbol of nobody"],
)
def test_strategies_are_judged_before_anything_is_made(tmp_path: Path, old: str, new: str, said: str) -> None:
    wrong = str(config(tmp_path, old, new))
    started, checked = start(tmp_path, "--config", wrong), run(tmp_path, "config", "check", "--config", wrong)

    assert [2, 2] == [started[0], checked[0]]
    assert [True, True] == [said in the_sentence(each) for _, each in (started, checked)]
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken_leaves_a_directory_as_it_is(tmp_path: Path, journal: Path) -> None:
    before = digest(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, said = start(tmp_path, "--port", str(other.getsockname()[1]))

    assert 1 == code
    assert "free the port" in the_sentence(said)
    assert before == digest(tmp_path)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, said = start(tmp_path, "--port", str(other.getsockname()[1]))

    assert 1 == code
    assert "free the port or choose another with --port" in the_sentence(said)
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a read-only file system")
def test_a_read_only_data_directory(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", str(folder)], check=True)
    try:
        code, said = start(tmp_path)
    finally:
        subprocess.run(["umount", str(folder)], check=True)

    assert 1 == code
    assert "is read-only for this user; make it writable, or choose another with --data-dir" in the_sentence(said)


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    code, said = start(tmp_path)

    assert 1 == code
    assert "cannot be made" in the_sentence(said)
    assert "mine" == (tmp_path / "data").read_text()


def test_a_journal_of_a_newer_version(tmp_path: Path, journal: Path) -> None:
    connection = apsw.Connection(str(journal))
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    before = digest(tmp_path)
    code, said = start(tmp_path)

    assert 1 == code
    assert "newer" in the_sentence(said)
    assert before == digest(tmp_path)


@pytest.mark.parametrize("place", [0.0, 0.5], ids=["head", "middle"])
def test_a_corrupted_journal(tmp_path: Path, journal: Path, place: float) -> None:
    data = bytearray(journal.read_bytes())
    at = int(len(data) // PAGE_BYTES * place) * PAGE_BYTES
    data[at : at + PAGE_BYTES] = os.urandom(PAGE_BYTES)
    journal.write_bytes(data)
    before = digest(tmp_path)
    code, said = start(tmp_path)

    assert 1 == code
    assert str(journal) in the_sentence(said)
    assert before == digest(tmp_path)


def test_a_digit_changed_in_a_recent_fact(tmp_path: Path, journal: Path) -> None:
    data = bytearray(journal.read_bytes())
    at = data.index(b'{"number":498,') + len(b'{"number":')
    data[at] = ord("5")
    journal.write_bytes(data)
    before = digest(tmp_path)
    code, said = start(tmp_path)

    assert 1 == code
    assert "a fact does not read back as it was written: stream access at seq 499, pos 549" in the_sentence(said)
    assert before == digest(tmp_path)


def test_verify_names_a_changed_fact(tmp_path: Path, journal: Path) -> None:
    connection = apsw.Connection(str(journal))
    connection.execute("DROP TRIGGER facts_are_not_changed")
    connection.execute("UPDATE facts SET body = CAST('{}' AS BLOB) WHERE pos = 7")
    connection.close()
    code, said = run(tmp_path, "journal", "verify", "--data-dir", str(tmp_path / "data"))

    assert 1 == code
    assert "BROKEN at stream config at seq 7 (pos 7)" in said


def test_status_and_verify_without_a_journal(tmp_path: Path) -> None:
    for command in (["status"], ["journal", "verify"]):
        code, said = run(tmp_path, *command, "--data-dir", "nothing")
        assert 1 == code
        assert "there is no journal" in the_sentence(said)
    assert [] == list(tmp_path.iterdir())


def test_init_writes_a_config_that_runs_and_does_not_overwrite_it(tmp_path: Path) -> None:
    assert 0 == run(tmp_path, "init")[0]
    code, said = run(tmp_path, "init")

    assert 1 == code
    assert "--force" in the_sentence(said)
    assert practice_toml().read_text() == (tmp_path / "trading-orchestrator.toml").read_text()


def test_init_tells_machines_what_it_wrote_and_how_to_start(tmp_path: Path) -> None:
    code, said = run(tmp_path, "init", "--json", "some file.toml")

    assert 0 == code
    start = ["trading-orchestrator", "run", "--practice", "--config", "some file.toml"]
    assert {"wrote": "some file.toml", "start": start} == json.loads(said)


def test_what_init_wrote_is_not_run_on_the_real_exchange(tmp_path: Path) -> None:
    run(tmp_path, "init")
    code, said = run(tmp_path, "run")

    assert 2 == code
    sentence = the_sentence(said)
    assert sentence.startswith("trading-orchestrator.toml: brokers.practice: live = false without urls would send")
    assert "start with `run --practice`" in sentence
    assert ["trading-orchestrator.toml"] == [path.name for path in tmp_path.iterdir()]


def test_the_version_is_told_as_everywhere(tmp_path: Path) -> None:
    assert run(tmp_path, "version") == run(tmp_path, "--version")


def test_wrong_use_is_exit_code_2(tmp_path: Path) -> None:
    assert 2 == run(tmp_path, "run", "--no-such-option")[0]
    assert 2 == run(tmp_path, "fly")[0]
    assert [2, 2] == [start(tmp_path, "--speed", speed)[0] for speed in ("inf", "nan")]
    assert not (tmp_path / "data").exists()
