"""The signature of a webhook: HMAC-SHA256 over time stamp and body, so that a receiver can refuse old copies."""

from __future__ import annotations

import hashlib
import hmac

from trading_orchestrator.errors import Refused

HEADER = "X-Orchestrator-Signature"


class SignatureRefused(Refused):
    """The signature does not belong to this body, or is too old. Facts: reason."""

    code = "alerts.signature_refused"


def signed(body: bytes, *, secret: str, at_s: int) -> str:
    """Return the header's value: `t=<seconds since 1970>,v1=<hex>`."""
    return f"t={at_s},v1={_digest(body, secret, at_s)}"


def verify(body: bytes, header: str, *, secret: str, now_s: int, tolerance_s: int = 300) -> None:
    """Return when the signature is genuine and fresh: what a receiver does.

    Raises:
        SignatureRefused: do not act on the body.
    """
    fields = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = fields.get("t", "")
    if not stamp.isascii() or not stamp.isdigit() or abs(now_s - int(stamp)) > tolerance_s:
        raise SignatureRefused("the signature's time stamp is missing or too old", reason="time")
    if not hmac.compare_digest(_digest(body, secret, int(stamp)), fields.get("v1", "")):
        raise SignatureRefused("the signature does not belong to this body", reason="digest")


def _digest(body: bytes, secret: str, at_s: int) -> str:
    return hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
