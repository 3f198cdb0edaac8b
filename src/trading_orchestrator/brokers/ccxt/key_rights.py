"""A key that may move money out of the account has no place on a trading host."""

from __future__ import annotations

import logging

from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.errors import OrchestratorError, Refused

log = logging.getLogger(__name__)


class KeyMayWithdraw(Refused):
    """The venue says that the API key may withdraw: whoever gets hold of this host could empty the account."""

    code = "key.may_withdraw"


async def check_key(dialect: Dialect, config: CcxtConfig) -> None:
    """Ask the venue what the key may do, where it tells. What cannot be learnt is logged and stops nothing.

    Raises:
        KeyMayWithdraw: it may withdraw.
    """
    try:
        may_withdraw = await dialect.may_withdraw()
    except OrchestratorError as error:
        log.warning("%s did not tell whether the API key may withdraw: %s", config.exchange, error.message)
        return
    if may_withdraw:
        raise KeyMayWithdraw(
            f"the API key of {config.exchange} may withdraw: expected one that may only trade; make a key without "
            "the right to withdraw, and bind it to this host's address",
            exchange=config.exchange,
        )
