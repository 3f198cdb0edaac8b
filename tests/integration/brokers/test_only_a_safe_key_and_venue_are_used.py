"""Paragraph 11: no key that may withdraw, no venue that cannot be asked by our ids; told in one clear sentence."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.integration.brokers.conftest import ACCOUNT, config_for
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.client_ids import NoSpotMarket, NotAskedByClientId
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.key_rights import KeyMayWithdraw
from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.trading.orders.client_id import cl_ord_id


async def test_a_key_that_may_withdraw_is_refused_where_the_venue_tells(own_venue: VenueProcess) -> None:
    own_venue.control("POST", "keys", {"account": ACCOUNT, "may_withdraw": True})
    broker = CcxtBroker(config_for(own_venue), clock=SystemClock())

    with pytest.raises(KeyMayWithdraw, match="expected one that may only trade"):
        await broker.connect()
    own_venue.control("POST", "keys", {"account": ACCOUNT, "may_withdraw": False})
    await broker.connect()

    await broker.close()


@pytest.mark.parametrize("extra", [{"status": 503}, {"status": 404, "code": -1000}, {"code": -1002}])
async def test_a_venue_that_does_not_tell_leaves_a_doubt_until_it_does(
    own_venue: VenueProcess, extra: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    own_venue.fault(effect="refuse", call="key.rights", **extra)
    broker = CcxtBroker(config_for(own_venue), clock=SystemClock())

    with caplog.at_level(logging.WARNING):
        await broker.connect()

    assert ["binance did not tell whether the API key may withdraw"] == [
        record.getMessage().partition(":")[0] for record in caplog.records if "withdraw" in record.getMessage()
    ]
    assert "binance did not tell whether the API key may withdraw" == broker.key_doubt
    own_venue.control("POST", "keys", {"account": ACCOUNT, "may_withdraw": True})
    await broker.ask_key_rights()
    assert "the API key of binance may withdraw" == broker.key_doubt
    own_venue.control("POST", "keys", {"account": ACCOUNT, "may_withdraw": False})
    await broker.ask_key_rights()
    assert "" == broker.key_doubt
    await broker.close()


class Fast(SystemClock):
    """Runs a minute ahead of the venue's."""

    def wall_ns(self) -> int:
        return super().wall_ns() + 60 * 10**9


async def test_the_question_is_signed_by_the_venues_clock_on_a_host_whose_own_is_off(own_venue: VenueProcess) -> None:
    client = CcxtClient(config_for(own_venue), clock=Fast())
    client.exchange.milliseconds = lambda: client.clock.wall_ns() // 1_000_000
    broker = CcxtBroker(client.config, clock=client.clock, client=client)

    await broker.connect()

    assert "" == broker.key_doubt
    await broker.close()


async def test_a_venue_that_has_no_such_question_raises_no_doubt(own_venue: VenueProcess) -> None:
    own_venue.fault(effect="html", call="key.rights", status=404)
    broker = CcxtBroker(config_for(own_venue), clock=SystemClock())

    await broker.connect()

    assert "" == broker.key_doubt
    await broker.close()


async def test_addresses_without_the_endpoint_are_not_asked(own_venue: VenueProcess) -> None:
    config = config_for(own_venue)
    urls = {"api": {name: url for name, url in config.urls["api"].items() if name != "sapi"}}
    own_venue.control("POST", "keys", {"account": ACCOUNT, "may_withdraw": True})
    broker = CcxtBroker(CcxtConfig(api_key=config.api_key, secret=config.secret, urls=urls), clock=SystemClock())

    await broker.connect()

    await broker.close()


async def test_an_exchange_that_cannot_be_asked_by_our_ids_is_refused_before_anything_is_sent() -> None:
    broker = CcxtBroker(CcxtConfig(exchange="bitflyer"), clock=SystemClock())

    with pytest.raises(NotAskedByClientId, match="exchange bitflyer: expected one that can be asked"):
        await broker.connect()


@pytest.mark.parametrize(
    ("exchange", "kind", "said"),
    [
        ("kraken", NotAskedByClientId, "at most 18 characters there, ours have 23"),
        ("hyperliquid", NotAskedByClientId, "128-bit hexadecimal"),
        ("coinbaseexchange", NotAskedByClientId, "UUIDs"),
        ("woo", NotAskedByClientId, "integers"),
        ("bithumb", NotAskedByClientId, "no list of one's own trades"),
        ("binanceusdm", NoSpotMarket, "expected one with a spot market"),
    ],
)
async def test_an_exchange_that_would_not_take_our_ids_or_has_no_spot_market_is_refused(
    exchange: str, kind: type[Refused], said: str
) -> None:
    broker = CcxtBroker(CcxtConfig(exchange=exchange), clock=SystemClock())

    with pytest.raises(kind, match=said):
        await broker.connect()


def test_our_ids_are_what_the_refusals_say_they_are() -> None:
    made = cl_ord_id("main", "0123456789", "maker.01234567.1", 0)

    assert (23, True) == (len(made), made.isalnum() and made.isascii() and made.islower())


async def test_binance_spot_offers_no_countdown() -> None:
    spot = CcxtBroker(CcxtConfig(exchange="binance"), clock=SystemClock())
    other = CcxtBroker(CcxtConfig(exchange="kraken"), clock=SystemClock())
    never = CcxtBroker(CcxtConfig(exchange="kraken", countdown_s=0.0), clock=SystemClock())

    assert [0.0, 60.0, 0.0] == [broker.countdown_s for broker in (spot, other, never)]
    for broker in (spot, other, never):
        await broker.close()


async def test_a_venue_that_is_away_can_be_asked_again(own_venue: VenueProcess) -> None:
    broker = CcxtBroker(config_for(own_venue), clock=SystemClock())
    own_venue.kill()

    for _ in range(3):
        with pytest.raises(Transient):
            await broker.connect()

    await broker.close()
