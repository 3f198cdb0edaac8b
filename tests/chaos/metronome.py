"""The strategy of drills, for chaos runs as well."""

from __future__ import annotations

from trading_orchestrator.drills.metronome import Metronome, MetronomeParams, MetronomeState

__all__ = ["Metronome", "MetronomeParams", "MetronomeState"]
