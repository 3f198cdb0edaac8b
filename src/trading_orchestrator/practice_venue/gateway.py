"""The way of every call, REST or WebSocket: faults, credentials, the call, faults again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from trading_orchestrator.practice_venue.calls import Desk, Row
from trading_orchestrator.practice_venue.credentials import Credentials
from trading_orchestrator.practice_venue.effects import Delivery, Outcome, Phase
from trading_orchestrator.practice_venue.facts import FaultActed, RequestRefused, StreamOpened
from trading_orchestrator.practice_venue.faults import Call, Fault, Faults
from trading_orchestrator.practice_venue.refusals import Answer, VenueRefusal
from trading_orchestrator.practice_venue.weights import Weights

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it arrived; `signed_text` is exactly what the client signed."""

    row: Row
    params: Mapping[str, str]
    api_key: str | None
    signed_text: str


@dataclass(frozen=True, slots=True)
class Reply:
    answer: Answer
    delivery: Delivery = Delivery.WHOLE


NOTHING = Answer(0, b"")


class Gateway:
    """Serves calls. Nothing is awaited between the check of the credentials and the finished call."""

    def __init__(self, desk: Desk, credentials: Credentials, faults: Faults, weights: Weights) -> None:
        self._desk = desk
        self._credentials = credentials
        self._faults = faults
        self._weights = weights

    async def serve(self, request: Request) -> Reply:
        """Return the reply, with the weight used in this minute in its headers."""
        try:
            self._weights.spend(request.row.cost(request.params))
        except VenueRefusal as error:
            return self._weighed(Reply(refused(error)))
        return self._weighed(await self._served(request))

    def _weighed(self, reply: Reply) -> Reply:
        used = str(self._weights.used)
        headers = (*reply.answer.headers, ("X-MBX-USED-WEIGHT", used), ("X-MBX-USED-WEIGHT-1M", used))
        return replace(reply, answer=replace(reply.answer, headers=headers))

    async def _served(self, request: Request) -> Reply:
        call = self._as_call(request)
        before = self._struck(Phase.BEFORE, call)
        if before is not None:
            await asyncio.sleep(before.delay_ms / 1000)
            if before.delivery is Delivery.TWICE:
                self._answer(request)
            elif before.answer is not None or before.delivery is not Delivery.WHOLE:
                return Reply(before.answer or NOTHING, before.delivery)
        answer = self._answer(request)
        after = self._struck(Phase.ANSWER, call, answer)
        if after is None:
            return Reply(answer)
        if after.delay_ms:
            await asyncio.sleep(after.delay_ms / 1000)
        return Reply(after.answer or answer, after.delivery)

    async def admit(self, stream: str) -> Reply | None:
        """Let a client open a stream, or return how it is turned away."""
        before = self._struck(Phase.BEFORE, Call(f"{stream}.connect", None, None))
        if before is not None:
            await asyncio.sleep(before.delay_ms / 1000)
            if before.answer is not None or before.delivery is not Delivery.WHOLE:
                return Reply(before.answer or NOTHING, before.delivery)
        self._desk.exchange.record(StreamOpened(stream=stream))
        return None

    def account_of(self, request: Request) -> str:
        """Return the account of a request that was served."""
        return self._credentials.account_of(request.api_key) or ""

    def _answer(self, request: Request) -> Answer:
        account = ""
        try:
            if request.row.signed:
                account = self._credentials.authenticate(request.api_key, request.params, request.signed_text)
            return Answer(200, _encoder.encode(request.row.run(self._desk, account, request.params)))
        except VenueRefusal as error:
            if request.row.changes_orders:
                self._record_refusal(request, account, error)
            return refused(error)

    def _record_refusal(self, request: Request, account: str, error: VenueRefusal) -> None:
        sent = request.params.get("timestamp", "")
        self._desk.exchange.record(
            RequestRefused(
                account=account or self._credentials.account_of(request.api_key),
                call=request.row.name,
                client_order_id=self._client_order_id(request.params),
                code=error.code,
                text=error.text,
                sent_ms=int(sent) if sent.isdecimal() else None,
            )
        )

    def _struck(self, phase: Phase, call: Call, answer: Answer | None = None) -> Outcome | None:
        struck = self._faults.strike(phase, call, answer)
        if struck is None:
            return None
        fault, outcome = struck
        self._record_fault(fault, call)
        return outcome

    def _record_fault(self, fault: Fault, call: Call) -> None:
        self._desk.exchange.record(
            FaultActed(
                fault_id=fault.fault_id,
                effect=fault.effect.name,
                call=call.name,
                account=call.account,
                client_order_id=call.client_order_id,
            )
        )

    def _as_call(self, request: Request) -> Call:
        account = self._credentials.account_of(request.api_key)
        return Call(request.row.name, account, self._client_order_id(request.params))

    def _client_order_id(self, params: Mapping[str, str]) -> str | None:
        named = params.get("origClientOrderId") or params.get("newClientOrderId")
        order_id = params.get("orderId", "")
        if named is None and order_id.isdecimal():
            order = self._desk.exchange.ledger.orders.get(int(order_id))
            return order.client_order_id if order is not None else None
        return named


def refused(error: VenueRefusal) -> Answer:
    headers = () if error.retry_after_s is None else (("Retry-After", str(error.retry_after_s)),)
    return Answer(error.http_status, _encoder.encode({"code": error.code, "msg": error.text}), headers)
