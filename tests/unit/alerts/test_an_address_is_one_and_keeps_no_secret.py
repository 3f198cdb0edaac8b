"""Where a channel sends to: refused at the start when it can never be an address, or tells a secret in the clear."""

from __future__ import annotations

from typing import Any

import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.perpetual_operations.alerts.board import open_board
from trading_orchestrator.perpetual_operations.alerts.channels.address import UrlRefused, address_of
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.loading import load_alerts


@pytest.mark.parametrize(
    "text",
    ["not a url", "ftp://host/x", "https://:80", "https:///x", "http://host:abc", "http://host:99999", "http://host:0",
     "http://[::1", "https://host/a b", "https://host/\nx"],
)  # fmt: skip
def test_a_reference_leads_to_an_address_or_is_refused_unseen(text: str) -> None:
    with pytest.raises(UrlRefused, match="env:HOOK leads to to be an address") as refused:
        address_of("env:HOOK", {"env:HOOK": text}.__getitem__)

    assert text not in f"{refused.value} {refused.value.facts}"


@pytest.mark.parametrize("text", ["https://u:p@host/x?token=y", "http://[::1]:9093", "https://host"])
def test_a_reference_may_lead_to_any_address(text: str) -> None:
    assert text == address_of("file:x", lambda reference: text)


@pytest.mark.parametrize("kind", ["webhook", "alertmanager", "pagerduty"])
@pytest.mark.parametrize("url", ["https://user:hunter2@h.example/T0", "https://h.example/?token=hunter2"])
def test_what_is_written_in_the_config_holds_no_secret(kind: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTING", "abc")
    more: dict[str, Any] = {"routing_key": "env:ROUTING"} if kind == "pagerduty" else {}
    plan = load_alerts(
        AlertsConfig(default_rules=False, channels={"hook": {"kind": kind, "url": url, **more}}), source="a test"
    )
    with pytest.raises(
        ConfigRefused, match=r"channels\.hook\.url: expected an address without .* vault:NAME"
    ) as refused:
        open_board(plan, VirtualClock())

    assert "hunter2" not in refused.value.message
