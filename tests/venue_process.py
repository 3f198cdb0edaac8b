"""The practice venue as a process, for every suite that needs one."""

from __future__ import annotations

from trading_orchestrator.drills.venue_process import VenueProcess

__all__ = ["VenueProcess"]
