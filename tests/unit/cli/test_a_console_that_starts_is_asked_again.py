"""A console answers before its alert manager does: a command waits those moments instead of failing."""

from __future__ import annotations

import io
import json
from email.message import Message
from urllib import error, request

import pytest

from trading_orchestrator.cli import console_calls
from trading_orchestrator.cli.console_calls import ConsoleRefused, call
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManagerStopped

URL = "http://127.0.0.1:1"


class Console:
    """Says no as often as it is told to, then answers."""

    def __init__(self, noes: int, code: str) -> None:
        self.noes, self.code, self.asked = noes, code, 0

    def __call__(self, asked: request.Request, timeout: float) -> io.BytesIO:
        self.asked += 1
        if self.asked > self.noes:
            return io.BytesIO(b'{"alerts": []}')
        body = io.BytesIO(json.dumps({"detail": "ask again", "code": self.code}).encode())
        raise error.HTTPError(URL, 503, "", Message(), body)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_calls, "AGAIN_S", 0.0)


def test_it_is_asked_until_it_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(3, AlertManagerStopped.code)
    monkeypatch.setattr(request, "urlopen", console)

    assert ({"alerts": []}, 4) == (call("/api/alerts", url=URL), console.asked)


@pytest.mark.parametrize(("code", "patience_s"), [("other", 5.0), (AlertManagerStopped.code, -1.0)])
def test_another_no_and_one_that_lasts_are_told(monkeypatch: pytest.MonkeyPatch, code: str, patience_s: float) -> None:
    console = Console(3, code)
    monkeypatch.setattr(request, "urlopen", console)
    monkeypatch.setattr(console_calls, "STARTS_WITHIN_S", patience_s)

    with pytest.raises(ConsoleRefused, match="ask again"):
        call("/api/alerts", url=URL)

    assert 1 == console.asked
