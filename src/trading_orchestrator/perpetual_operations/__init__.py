"""Operations: keeps programs alive, and shows how they are. Importing this package does no work."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.enable import enable_perpetual_operations

__all__ = ["enable_perpetual_operations"]
