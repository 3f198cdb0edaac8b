"""A strategy that trades like the metronome and forgets to forget: what it keeps grows by half a megabyte a second."""

from __future__ import annotations

from trading_orchestrator.drills.metronome import Metronome

LEAK_BYTES_S = 500_000


class Leaky(Metronome):
    """Keeps a piece of memory at every beat."""

    def on_start(self) -> None:
        super().on_start()
        self.kept: list[bytes] = []

    def on_timer(self) -> None:
        self.kept.append(b"x" * int(LEAK_BYTES_S * self.params.every_s))
        super().on_timer()
