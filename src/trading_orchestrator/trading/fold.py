"""How each kind of fact changes a desk: one table, put together from the parts that know the kinds."""

from __future__ import annotations

from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.fold_desk import FOLDS_OF_DESK
from trading_orchestrator.trading.fold_orders import FOLDS_OF_ORDERS
from trading_orchestrator.trading.fold_permits import FOLDS_OF_PERMITS
from trading_orchestrator.trading.fold_trades import FOLDS_OF_TRADES
from trading_orchestrator.trading.folded import Fold

FOLDS: dict[type[f.Body], Fold] = FOLDS_OF_DESK | FOLDS_OF_ORDERS | FOLDS_OF_TRADES | FOLDS_OF_PERMITS
