"""Starts a desk process beside a scene, hears what it says, holds, stops, kills it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.integration.faults.desk_process import DeskSpec
from tests.integration.faults.scene import REACH, SETTINGS, SYMBOL, Scene

PROJECT = Path(__file__).resolve().parents[3]
METRONOME: dict[str, Any] = {
    "name": "metronome",
    "class": "tests.chaos.metronome:Metronome",
    "params": {"symbol": SYMBOL, "qty": "10", "every_s": 0.03},
}


class DeskChild:
    """One desk process that trades on the scene's venue and journal.

    Args:
        under: a command that runs the process, e.g. strace with its arguments.
        environ: additions to the environment, e.g. LD_PRELOAD.
        settings: of the desk, beside those of every scene.
    """

    def __init__(
        self,
        scene: Scene,
        node: str,
        *,
        journal: Path | None = None,
        strategies: Sequence[Mapping[str, Any]] = (METRONOME,),
        under: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        self.hold_dir = scene.journal.parent / f"hold-{node}"
        self.hold_dir.mkdir()
        self._said = self.hold_dir / "said"
        words = DeskSpec(
            node=node,
            journal=str(journal or scene.journal),
            hold_dir=str(self.hold_dir),
            urls=scene.urls(),
            desk=SETTINGS | {"strategies": list(strategies)} | dict(settings or {}),
            reach=REACH,
            **spec,
        )
        command = [*under, sys.executable, "-m", "tests.integration.faults.desk_process"]
        with self._said.open("wb") as said, (self.hold_dir / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                [*command, msgspec.json.encode(words).decode()],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=errors,
                cwd=PROJECT,
                env=os.environ | {"PYTHONPATH": f"{PROJECT / 'src'}:{PROJECT}"} | dict(environ or {}),
            )

    def __enter__(self) -> DeskChild:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def said(self, step: str) -> list[dict[str, Any]]:
        """Return what it said of one step so far."""
        lines = [json.loads(line) for line in self._said.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if line["step"] == step]

    def reason(self) -> str:
        """Return what its desk last said of its health."""
        said = self.said("health")
        return str(said[-1]["reason"]) if said else ""

    def errors(self) -> str:
        return (self.hold_dir / "errors").read_text()

    def arm(self, point: str) -> None:
        """Hold the process at this point when it comes there."""
        (self.hold_dir / point).touch()

    def must_live(self) -> None:
        """Fail with its last words when it ended."""
        assert self._process.poll() is None, f"the desk process ended: {self.errors()[-2000:]} {self.said('error')}"

    def held_at(self, point: str) -> bool:
        self.must_live()
        return bool(list(self.hold_dir.glob(f"{point}.held.*")))

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._process.poll()
