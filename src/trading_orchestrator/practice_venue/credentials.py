"""Who asks: API keys, HMAC-SHA256 signatures and the recvWindow, as Binance checks them."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from trading_orchestrator.practice_venue.order_request import read_integer
from trading_orchestrator.practice_venue.refusals import ahead_of_server, missing, refusal

DEFAULT_RECV_WINDOW_MS = 5_000
LONGEST_RECV_WINDOW_MS = 60_000
TOLERATED_AHEAD_MS = 1_000


@dataclass(frozen=True, slots=True)
class AccountKey:
    """One account with the one key that may trade on it."""

    account: str
    key: str
    secret: str


class Credentials:
    """Checks signed requests against the venue's own wall clock."""

    def __init__(self, keys: Iterable[AccountKey], now_ms: Callable[[], int]) -> None:
        self._by_key = {key.key: key for key in keys}
        self._now_ms = now_ms
        self._revoked: set[str] = set()
        self._withdrawing: set[str] = set()

    def revoke(self, account: str, *, revoked: bool) -> None:
        """Refuse the account's key with -2015 from now on, or accept it again."""
        change = self._revoked.add if revoked else self._revoked.discard
        change(account)

    def allow_withdrawals(self, account: str, *, allowed: bool) -> None:
        """Say from now on that the account's key may withdraw, or may not."""
        change = self._withdrawing.add if allowed else self._withdrawing.discard
        change(account)

    def may_withdraw(self, account: str) -> bool:
        return account in self._withdrawing

    def account_of(self, api_key: str | None) -> str | None:
        known = self._by_key.get(api_key or "")
        return known.account if known else None

    def authenticate(self, api_key: str | None, params: Mapping[str, str], signed_text: str) -> str:
        """Return the account, or raise -2014, -2015, -1102, -1022, -1021."""
        if not api_key:
            raise refusal(-2014)
        known = self._by_key.get(api_key)
        if known is None or known.account in self._revoked:
            raise refusal(-2015)
        signature = params.get("signature")
        if not signature:
            raise missing("signature")
        self._check_time(params)
        expected = hmac.new(known.secret.encode(), signed_text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise refusal(-1022)
        return known.account

    def _check_time(self, params: Mapping[str, str]) -> None:
        sent_ms = read_integer(params, "timestamp")
        if sent_ms is None:
            raise missing("timestamp")
        window_ms = read_integer(params, "recvWindow")
        window_ms = DEFAULT_RECV_WINDOW_MS if window_ms is None else window_ms
        if window_ms > LONGEST_RECV_WINDOW_MS:
            raise refusal(-1131)
        now_ms = self._now_ms()
        if sent_ms > now_ms + TOLERATED_AHEAD_MS:
            raise ahead_of_server()
        if now_ms - sent_ms > window_ms:
            raise refusal(-1021)
