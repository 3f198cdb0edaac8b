"""Secrets by reference, as every part of the program reads them (kernel/secret_reference.py)."""

from __future__ import annotations

from trading_orchestrator.kernel.secret_reference import Reveal, SecretRefused, revealed

__all__ = ["Reveal", "SecretRefused", "revealed"]
