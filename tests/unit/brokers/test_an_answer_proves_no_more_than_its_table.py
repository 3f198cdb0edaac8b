"""An answer proves what a row of the venue's table says, and nothing else proves anything."""

from __future__ import annotations

import json

import pytest

from trading_orchestrator.brokers.ccxt.answers import (
    BINANCE,
    TABLES,
    Answer,
    Failure,
    Reply,
    classify,
    reply_from_http,
    reply_of,
)
from trading_orchestrator.brokers.ccxt.client import failure
from trading_orchestrator.brokers.ccxt.reading import raw_hash
from trading_orchestrator.brokers.port import NoAnswer, OrderRefused, SymbolGone
from trading_orchestrator.errors import OrchestratorError

# Status and body as Binance and its load balancers send them; the venue's tests hold the same texts.
RECORDED = [
    (400, '{"code":-1013,"msg":"Filter failure: LOT_SIZE"}', Answer.REFUSED),
    (400, '{"code":-1102,"msg":"Mandatory parameter \'side\' was not sent."}', Answer.REFUSED),
    (400, '{"code":-1121,"msg":"Invalid symbol."}', Answer.NO_SYMBOL),
    (400, '{"code":-1145,"msg":"`cancelRestrictions` has to be one of two."}', Answer.REFUSED),
    (401, '{"code":-1099,"msg":"Not found, authenticated, or authorized."}', Answer.REFUSED),
    (429, '{"code":-1015,"msg":"Too many new orders; current limit is 100 orders per 10 SECOND."}', Answer.NOT_READ),
    (400, '{"code":-2011,"msg":"Order was not canceled due to cancel restrictions."}', Answer.REFUSED),
    (409, '{"code":-2021,"msg":"Order cancel-replace partially failed."}', Answer.AMBIGUOUS),
    (400, '{"code":-2010,"msg":"Account has insufficient balance for requested action."}', Answer.REFUSED),
    (400, '{"code":-2010,"msg":"Order would immediately match and take."}', Answer.REFUSED),
    (401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}', Answer.KEY_REFUSED),
    (400, '{"code":-1022,"msg":"Signature for this request is not valid."}', Answer.REFUSED),
    (400, '{"code":-2010,"msg":"Duplicate order sent."}', Answer.DUPLICATE),
    (400, '{"code":-2011,"msg":"Unknown order sent."}', Answer.CANCEL_REFUSED),
    (400, '{"code":-2013,"msg":"Order does not exist."}', Answer.NOT_FOUND),
    (429, '{"code":-1003,"msg":"Too many requests."}', Answer.NOT_READ),
    (418, '{"code":-1003,"msg":"Way too many requests; IP banned until 1700000000000."}', Answer.NOT_READ),
    (400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}', Answer.NOT_READ),
    (503, '{"code":-1000,"msg":"An unknown error occurred while processing the request."}', Answer.AMBIGUOUS),
    (400, '{"code":-1000,"msg":"An unknown error occurred while processing the request."}', Answer.AMBIGUOUS),
    (503, '{"code":-1008,"msg":"Server is currently overloaded."}', Answer.AMBIGUOUS),
    (408, '{"code":-1007,"msg":"Timeout waiting for response from backend server."}', Answer.AMBIGUOUS),
    (400, '{"code":-1006,"msg":"An unexpected response was received from the message bus."}', Answer.AMBIGUOUS),
    (504, "<html><h1>504 Gateway Time-out</h1></html>", Answer.AMBIGUOUS),
    (403, "<html>WAF</html>", Answer.AMBIGUOUS),
    (200, "", Answer.AMBIGUOUS),
    (200, '{"symbol":"BTCUSDT","orderId":28,"cl', Answer.AMBIGUOUS),
    (502, '{"code":-2010,"msg":"Account has insufficient balance for requested action."}', Answer.AMBIGUOUS),
    (503, '{"code":-2013,"msg":"Order does not exist."}', Answer.AMBIGUOUS),
    (400, '{"code":-99999,"msg":"A code of next year."}', Answer.AMBIGUOUS),
    (400, '{"code":null,"msg":null}', Answer.AMBIGUOUS),
    (400, '["-2010"]', Answer.AMBIGUOUS),
]


def replied(status: int, body: str, **headers: str) -> Reply:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    return reply_from_http(status, headers, body, parsed)


@pytest.mark.parametrize(("status", "body", "proves"), RECORDED)
def test_a_recorded_reply_proves_what_its_row_says(status: int, body: str, proves: Answer) -> None:
    assert proves == classify(replied(status, body), "binance")


@pytest.mark.parametrize(("status", "body", "proves"), RECORDED)
def test_a_venue_without_a_table_proves_nothing(status: int, body: str, proves: Answer) -> None:
    assert Answer.AMBIGUOUS == classify(replied(status, body), "kraken")


@pytest.mark.parametrize(
    ("failure", "proves"),
    [(Failure.LOCAL, Answer.REFUSED), (Failure.CONNECT, Answer.NOT_SENT), (Failure.LOST, Answer.AMBIGUOUS)],
)
@pytest.mark.parametrize("venue", ["binance", "kraken"])
def test_a_failure_without_an_answer_is_judged_alike_everywhere(failure: Failure, proves: Answer, venue: str) -> None:
    assert proves == classify(Reply(failure=failure), venue)


def test_no_server_error_is_evidence_whatever_code_it_carries() -> None:
    codes = {str(row.code): row for table in TABLES.values() for row in table}
    seen = {
        classify(Reply(http_status=status, code=code, text=row.text), venue)
        for venue in TABLES
        for code, row in codes.items()
        for status in (200, 301, 500, 502, 503, 504)
    }

    assert {Answer.AMBIGUOUS} == seen


def test_the_codes_that_say_execution_status_unknown_have_no_row() -> None:
    assert set() == {row.code for row in BINANCE} & {-1000, -1001, -1006, -1007, -1010, -1016}


def test_a_narrowed_row_stands_before_the_one_for_the_rest() -> None:
    wide = set()
    for row in BINANCE:
        assert row.code not in wide, f"{row} can never be reached"
        if not row.text:
            wide.add(row.code)


def test_a_refusal_carries_the_hash_of_its_answer() -> None:
    body = '{"code":-2010,"msg":"Account has insufficient balance for requested action."}'
    refused, other = (failure(replied(400, said), "binance", "submit") for said in (body, body.replace("has", "had")))

    assert isinstance(refused, OrderRefused)
    assert raw_hash(json.loads(body)) == refused.facts["raw_hash"] != other.facts["raw_hash"]
    assert "" == replied(504, "<html>").raw_hash


class BadSymbol(Exception):
    """Named as ccxt's own."""


def of_symbol(status: int, body: str) -> Reply:
    error = BadSymbol()
    error.reply = replied(status, body)  # type: ignore[attr-defined]
    return reply_of(error, sent=True)


INVALID = '{"code":-1121,"msg":"Invalid symbol."}'


@pytest.mark.parametrize(("venue", "submitted"), [("binance", OrderRefused), ("okx", NoAnswer)])
def test_a_symbol_that_is_gone_is_told_by_questions_and_denies_no_order_without_a_table(
    venue: str, submitted: type[OrchestratorError]
) -> None:
    reply = of_symbol(400, INVALID)

    assert SymbolGone is type(failure(reply, venue, "trades"))
    assert SymbolGone is type(failure(reply, venue, "order"))
    assert submitted is type(failure(reply, venue, "submit"))
    assert SymbolGone is not type(failure(reply, venue, "cancel"))


@pytest.mark.parametrize("venue", ["binance", "okx"])
def test_a_server_error_does_not_say_that_a_symbol_is_gone(venue: str) -> None:
    assert NoAnswer is type(failure(of_symbol(503, INVALID), venue, "trades"))


def test_a_symbol_that_our_own_list_of_markets_lacks_is_gone() -> None:
    reply = reply_of(BadSymbol("okx does not have market symbol GONE/USDT"), sent=False)

    assert SymbolGone is type(failure(reply, "okx", "trades"))


def test_the_wait_that_the_venue_asks_for_is_kept() -> None:
    headers: list[dict[str, str]] = [{"Retry-After": "7"}, {"retry-after": "120"}, {}, {"Retry-After": "Mon, 1 Jan"}]

    assert [7.0, 120.0, None, None] == [replied(429, "{}", **each).retry_after_s for each in headers]


def test_an_error_of_the_transport_keeps_no_url() -> None:
    error = RuntimeError("binance POST https://api.example/order?timestamp=1&signature=5ec7e7")
    error.__cause__ = ConnectionResetError("https://api.example/order?signature=5ec7e7")

    reply = reply_of(error, sent=True)

    assert Reply(failure=Failure.LOST, text="RuntimeError from ConnectionResetError") == reply


def test_an_error_before_the_transport_was_asked_is_local() -> None:
    assert Failure.LOCAL is reply_of(ValueError("no such market"), sent=False).failure
