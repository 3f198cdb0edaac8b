"""Operations: keeps programs alive, and shows how they are. Importing this package does no work."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from trading_orchestrator.perpetual_operations.enable import enable_perpetual_operations

if TYPE_CHECKING:
    from trading_orchestrator.kernel.bulkhead import Bulkhead
    from trading_orchestrator.kernel.circuit_breaker import CircuitBreaker, CircuitConfig
    from trading_orchestrator.kernel.deadline import Deadline
    from trading_orchestrator.kernel.retry_budget import RetryBudget, retried
    from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
    from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker, Kind
    from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
    from trading_orchestrator.perpetual_operations.monitoring.system_monitor import SystemMonitor
    from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import AutoRecoveryManager
    from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, Step
    from trading_orchestrator.storage.connection_pool import PoolConfig
    from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager
    from trading_orchestrator.storage.postgres_connections import PostgresConnector

_OPERATIONS = "trading_orchestrator.perpetual_operations"
_HOMES = {  # imported when asked for: a node that only trades must not pay for all of them
    "AlertManager": f"{_OPERATIONS}.alerts.alert_manager",
    "AutoRecoveryManager": f"{_OPERATIONS}.recovery.auto_recovery_manager",
    "Bulkhead": "trading_orchestrator.kernel.bulkhead",
    "CircuitBreaker": "trading_orchestrator.kernel.circuit_breaker",
    "CircuitConfig": "trading_orchestrator.kernel.circuit_breaker",
    "ConnectionPoolManager": "trading_orchestrator.storage.connection_pool_manager",
    "Deadline": "trading_orchestrator.kernel.deadline",
    "HealthChecker": f"{_OPERATIONS}.health.health_checker",
    "Kind": f"{_OPERATIONS}.health.health_checker",
    "Ladder": f"{_OPERATIONS}.recovery.ladder",
    "PerpetualOperationsManager": f"{_OPERATIONS}.manager",
    "PoolConfig": "trading_orchestrator.storage.connection_pool",
    "PostgresConnector": "trading_orchestrator.storage.postgres_connections",
    "RetryBudget": "trading_orchestrator.kernel.retry_budget",
    "Step": f"{_OPERATIONS}.recovery.ladder",
    "SystemMonitor": f"{_OPERATIONS}.monitoring.system_monitor",
    "retried": "trading_orchestrator.kernel.retry_budget",
}

__all__ = [
    "AlertManager",
    "AutoRecoveryManager",
    "Bulkhead",
    "CircuitBreaker",
    "CircuitConfig",
    "ConnectionPoolManager",
    "Deadline",
    "HealthChecker",
    "Kind",
    "Ladder",
    "PerpetualOperationsManager",
    "PoolConfig",
    "PostgresConnector",
    "RetryBudget",
    "Step",
    "SystemMonitor",
    "enable_perpetual_operations",
    "retried",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
