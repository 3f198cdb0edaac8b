"""A node ends with one sentence for the keeper, which does not try it again, also for what is stored and unreadable."""

from __future__ import annotations

import io
import os
from types import SimpleNamespace

import msgspec
import pytest

from trading_orchestrator.app import node_process
from trading_orchestrator.errors import Refused
from trading_orchestrator.keeper.node_spec import NodeSpec


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Refused("a port\nis taken"), "REFUSED a port is taken\n"),
        (
            msgspec.ValidationError("Expected `int`"),
            "does not read back (Expected `int`): stop every node, keep a copy",
        ),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "does not read back ('utf-8' codec can't decode"),
    ],
)
def test_it_says_it_in_one_line(error: Exception, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise error

    spec = msgspec.json.encode(NodeSpec("a-1", {}, "test", 0))
    monkeypatch.setattr(node_process, "_run", fail)
    monkeypatch.setattr(node_process, "start_logging", lambda _: SimpleNamespace(stop=lambda: None))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(spec)))
    heard, said = os.pipe()
    code = node_process.main(["--ready-fd", str(said), "--keeper-fd", "0"])
    os.close(said)
    with os.fdopen(heard) as pipe:
        lines = pipe.readlines()

    assert node_process.WILL_NOT_START == code
    assert 1 == len(lines)
    assert expected in lines[0]
    assert lines[0].startswith("REFUSED ")
