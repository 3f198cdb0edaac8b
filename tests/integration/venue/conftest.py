"""The practice venue as a real process and unmodified ccxt clients to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.venue_process import VenueProcess

MakeClient = Callable[..., Any]

ACCOUNTS = [
    "alice:alice-key:alice-secret:EUR=100000,USDT=100000",
    "bob:bob-key:bob-secret:EUR=100000,USDT=100000",
    "poor:poor-key:poor-secret:USDT=10",
]


@pytest.fixture(scope="session")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueProcess]:
    """One venue for the whole session; use `venue`, which cleans up before each test."""
    process = VenueProcess.start_new(tmp_path_factory.mktemp("venue"), account=ACCOUNTS)
    yield process
    process.stop()


@pytest.fixture
def venue(shared_venue: VenueProcess) -> VenueProcess:
    """The venue without faults and open orders, its market held at 1.10000 / 1.10010 with 1000 a side."""
    shared_venue.control("DELETE", "faults")
    for account in ("alice", "bob", "poor"):
        for order in shared_venue.account_state(account)["orders"]:
            if order["status"] in ("NEW", "PARTIALLY_FILLED"):
                shared_venue.control("DELETE", f"orders/{order['orderId']}")
    hold(shared_venue)
    return shared_venue


@pytest.fixture
def own_venue(tmp_path: Path) -> Iterator[VenueProcess]:
    """A venue that the test may kill and start again."""
    process = VenueProcess.start_new(tmp_path / "venue", account=ACCOUNTS)
    hold(process)
    yield process
    process.stop()


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    """Make clients of the named account; they are closed after the test."""
    clients: list[Any] = []

    def make(venue: VenueProcess, account: str = "alice", **config: Any) -> Any:
        clients.append(ccxt_client(venue, account, **config))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def alice(venue: VenueProcess, make_client: MakeClient) -> Any:
    return make_client(venue, "alice")


@pytest.fixture
def bob(venue: VenueProcess, make_client: MakeClient) -> Any:
    return make_client(venue, "bob")


def ccxt_client(venue: VenueProcess, account: str, **config: Any) -> Any:
    """Return an unmodified ccxt.pro binance client that trades on the venue."""
    import ccxt.pro

    client = ccxt.pro.binance(
        {
            "apiKey": f"{account}-key",
            "secret": f"{account}-secret",
            "enableRateLimit": False,
            "timeout_on_exit": 1,  # ccxt sleeps 250 ms in every close otherwise
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": False,
                "fetchMargins": False,
            },
            **config,
        }
    )
    client.urls["api"] = client.deep_extend(client.urls["api"], venue.ccxt_urls())
    return client


def hold(venue: VenueProcess, bid: str = "1.10000", ask: str = "1.10010", qty: str = "1000") -> None:
    """Hold the market still at these quotes, so that a test knows what trades."""
    venue.control("POST", "market", {"bid": bid, "ask": ask, "bid_qty": qty, "ask_qty": qty})
