"""In a real browser the page is live, tells when it is not, fits a phone, and works without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.operations.chromium import BINARY, Tab, chromium
from tests.integration.operations.conftest import PracticeDesk
from trading_orchestrator.perpetual_operations.console.server import ConsoleServer

pytestmark = [
    pytest.mark.usefixtures("console"),
    pytest.mark.skipif(BINARY is None, reason="no Chromium here: apt-get install chromium"),
]


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path / "profile") as opened:
        yield opened


async def test_a_fill_appears_by_itself(tab: Tab, base_url: str, desk: PracticeDesk) -> None:
    await tab.open(f"{base_url}/dashboard")
    await tab.until("document.getElementById('stream').className === 'live'")

    await desk.trade()
    await tab.until("document.body.innerText.includes('to-4')")

    assert "All well: node a trades desk practice, node b stands by." in await tab.evaluate("document.body.innerText")
    assert [] == tab.complaints


async def test_silence_is_told_and_dims_the_numbers(
    tab: Tab, base_url: str, desk: PracticeDesk, console: ConsoleServer
) -> None:
    await tab.open(f"{base_url}/dashboard")
    await tab.until("document.getElementById('stream').className === 'live'")

    await console.leave(0)
    await tab.until("document.body.classList.contains('is-stale')")

    assert "these numbers are old" in await tab.evaluate("document.getElementById('stream').innerText")


async def test_pause_stops_the_updates_and_resume_catches_up(tab: Tab, base_url: str, desk: PracticeDesk) -> None:
    await tab.open(f"{base_url}/dashboard")
    await tab.until("document.getElementById('stream').className === 'live'")

    await tab.evaluate("document.getElementById('pause').click()")
    await desk.trade()
    paused = await tab.evaluate(
        "[document.getElementById('stream').className, document.body.innerText.includes('to-4')]"
    )
    await tab.evaluate("document.getElementById('pause').click()")
    await tab.until("document.body.innerText.includes('to-4')")

    assert ["paused", False] == paused


TOO_WIDE = """
[...document.querySelectorAll(".scroll")].filter(frame => frame.scrollWidth > frame.clientWidth)
  .map(frame => frame.innerText)
"""


@pytest.mark.parametrize("path", ["/dashboard", "/api/docs"])
@pytest.mark.parametrize("dark", [False, True])
async def test_a_phone_needs_no_sideways_scrolling(
    tab: Tab, base_url: str, desk: PracticeDesk, path: str, dark: bool
) -> None:
    await tab.open(base_url + path, width=390, dark=dark)

    page_px, window_px = await tab.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )

    assert page_px == window_px <= 390
    assert [] == await tab.evaluate(TOO_WIDE)
    assert [] == tab.complaints


async def test_without_scripts_it_is_a_whole_snapshot(tab: Tab, base_url: str, desk: PracticeDesk) -> None:
    await tab.open(f"{base_url}/dashboard", scripts=False)
    text = await tab.evaluate("document.body.innerText")

    assert "snapshot of" in text
    assert "to-3" in text
    assert await tab.evaluate("document.getElementById('pause').hidden")


CONTRAST = """
(() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll("main *, header *, footer *")) {
    const says = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!says || node.closest("svg")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) poor.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
})()
"""


@pytest.mark.parametrize("path", ["/dashboard", "/api/docs"])
@pytest.mark.parametrize("dark", [False, True])
async def test_every_text_stands_out_by_the_aa_ratio(
    tab: Tab, base_url: str, desk: PracticeDesk, path: str, dark: bool
) -> None:
    await tab.open(base_url + path, dark=dark)

    assert [] == await tab.evaluate(CONTRAST)


async def test_the_keyboard_reaches_everything_in_order(tab: Tab, base_url: str, desk: PracticeDesk) -> None:
    await tab.open(f"{base_url}/dashboard")
    await tab.until("!document.getElementById('pause').hidden")
    reached = []
    for _ in range(6):
        for kind in ("keyDown", "keyUp"):
            await tab.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(await tab.evaluate("document.activeElement.innerText.split('\\n')[0].split('\\t')[0]"))

    assert ["Skip to the verdict", "Pause", "placed", "traded", "API", "Metrics"] == reached
