"""Where a channel sends to: an address in the config, or a reference to one; what can never be one is refused."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.secret_reference import FORMS

SCHEMES = ("http", "https")


class UrlRefused(Refused):
    """It is no address, or holds a secret in the clear; it is not repeated. Facts: reference, "" for a literal one."""

    code = "alerts.url_refused"


def address_of(text: str, reveal: Callable[[str], str]) -> str:
    """Return the address that the config's `url` says, or leads to.

    A user, a password and a query are most likely secret. A token in the path is too, and cannot be told from a path.

    Raises:
        UrlRefused: it is no http or https address with a host; or it stands in the config and holds what may be secret.
        SecretRefused: the reference leads nowhere.
    """
    if not text.startswith(SCHEMES):
        address = reveal(text)
        _parsed(address, text)
        return address
    parsed = _parsed(text, "")
    has_user = "@" in parsed.netloc
    if has_user or parsed.query:
        lack = "without user and password" if has_user else "without a query"
        said = f"expected an address {lack}, for what stands here is no secret; a reference may have it: {FORMS}"
        raise UrlRefused(said, reference="")
    return text


def _parsed(address: str, reference: str) -> SplitResult:
    parsed = _split(address)
    if parsed is None:
        said = f"what {reference} leads to" if reference else "it"
        raise UrlRefused(
            f"expected {said} to be an address such as https://host/path, was something else", reference=reference
        )
    return parsed


def _split(address: str) -> SplitResult | None:
    """Return the parts of an http or https address with a host; None for anything else."""
    try:
        parsed = urlsplit(address)
        has_port = parsed.port != 0
    except ValueError:  # a port that is none, a bracket that is not closed
        return None
    is_one = parsed.scheme in SCHEMES and parsed.hostname and has_port and address.isprintable() and " " not in address
    return parsed if is_one else None
