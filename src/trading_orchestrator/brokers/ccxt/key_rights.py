"""A key that may move money out of the account has no place on a trading host."""

from __future__ import annotations

import logging

from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.errors import OrchestratorError, Refused

log = logging.getLogger(__name__)


class KeyMayWithdraw(Refused):
    """The venue says that the API key may withdraw: whoever gets hold of this host could empty the account."""

    code = "key.may_withdraw"


class KeyCheck:
    """What the venue has told of the key so far. `doubt` "": it cannot withdraw, or the venue cannot be asked."""

    def __init__(self, dialect: Dialect, exchange: str) -> None:
        self._dialect = dialect
        self._exchange = exchange
        self.doubt = ""

    async def ask(self) -> None:
        """Ask what the key may do. A failed answer is no answer: the doubt stays, and whoever moves real money waits.

        Raises:
            KeyMayWithdraw: it may withdraw.
        """
        try:
            may_withdraw = await self._dialect.may_withdraw()
        except OrchestratorError as error:
            self.doubt = f"{self._exchange} did not tell whether the API key may withdraw"
            log.warning("%s: %s", self.doubt, error.message)
            return
        self.doubt = f"the API key of {self._exchange} may withdraw" if may_withdraw else ""
        if may_withdraw:
            raise KeyMayWithdraw(
                f"{self.doubt}: expected one that may only trade; make a key without the right to withdraw, and bind "
                "it to this host's address",
                exchange=self._exchange,
            )
