"""Request weight: told in every answer, refused beyond the limit, and told how long to wait."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.integration.venue.conftest import ACCOUNTS, MakeClient
from tests.venue_process import VenueProcess


@pytest.fixture
def narrow_venue(tmp_path: Path) -> Iterator[VenueProcess]:
    process = VenueProcess.start_new(tmp_path / "venue", account=ACCOUNTS, weight_limit="30")
    yield process
    process.stop()


async def test_every_answer_tells_the_weight_used_in_this_minute(venue: VenueProcess, alice: Any) -> None:
    await alice.load_markets()
    before = int(alice.last_response_headers["X-MBX-USED-WEIGHT-1M"])

    await alice.fetch_balance()

    used = int(alice.last_response_headers["X-MBX-USED-WEIGHT-1M"])
    assert used in (before + 20, 20)  # 20 alone: a new minute began in between
    assert str(used) == alice.last_response_headers["X-MBX-USED-WEIGHT"]


async def test_beyond_the_limit_nothing_is_looked_at(narrow_venue: VenueProcess, make_client: MakeClient) -> None:
    client = make_client(narrow_venue, "alice")
    await client.load_markets()  # 20 of 30

    refused = None
    for _ in range(40):  # more than enough even if a new minute begins meanwhile
        try:
            await client.create_order("EUR/USDT", "limit", "buy", 10, 1.0)
        except ccxt.DDoSProtection as error:
            refused = error
            break

    assert refused is not None
    assert "current limit is 30 request weight per 1 MINUTE" in str(refused)
    assert 0 < int(client.last_response_headers["Retry-After"]) <= 60
    orders = narrow_venue.log("order.accepted")
    assert len(orders) == len(narrow_venue.account_state("alice")["orders"])
    assert [] == narrow_venue.log("request.refused")
