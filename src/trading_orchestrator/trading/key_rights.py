"""No order for real money leaves while the venue has not told that its key cannot withdraw (ORDER_PROTOCOL §11)."""

from __future__ import annotations

import logging

from trading_orchestrator.brokers.capabilities import key_rights_of
from trading_orchestrator.brokers.port import Broker
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.trading.permit_facts import KeyRightsDoubted, KeyRightsTold
from trading_orchestrator.trading.record import DeskRecord

log = logging.getLogger(__name__)
ASK_FIRST_S = 1.0
ASK_MOST_S = 60.0
"""An endpoint that fails for a day is asked 1,440 times, each at weight 1."""


class KeyRights:
    """Keeps the desk unarmed while the broker's key is in doubt, whoever armed it; his permit stands beside that.

    A venue that cannot be asked raises no doubt (docs/guarantee.md names them).
    """

    def __init__(self, record: DeskRecord, broker: Broker, clock: Clock, *, live: bool) -> None:
        self._record = record
        self._teller = key_rights_of(broker) if live else None
        self._clock = clock

    def note(self) -> None:
        """Journal what is known of the key now, if that is news."""
        doubt = f"{self._teller.key_doubt}; it is asked again" if self._teller and self._teller.key_doubt else ""
        if self._record.is_lost or doubt == self._record.book.key_doubt:
            return
        self._record.write(KeyRightsDoubted(reason=doubt) if doubt else KeyRightsTold())

    async def keep_asking(self) -> None:
        """Ask until told, also when the answer was that it may withdraw: somebody may take that right away."""
        wait_s = ASK_FIRST_S
        while self._teller is not None and self._teller.key_doubt:
            await self._clock.sleep(wait_s)
            wait_s = min(ASK_MOST_S, 2 * wait_s)
            try:
                await self._teller.ask_key_rights()
            except OrchestratorError as error:
                log.info("asking what the key may do: %s", error.message)
            self.note()
