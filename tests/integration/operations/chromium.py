"""A headless Chromium, spoken to over its DevTools protocol."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

BINARY = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tab:
    """One page; what it complains about is kept in `complaints`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls = 0
        self.complaints: list[str] = []

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Return the result of one DevTools call."""
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": params})
        while True:
            said = await self._socket.receive_json()
            if said.get("id") == self._calls:
                assert "error" not in said, said
                result: dict[str, Any] = said["result"]
                return result
            if said.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(str(said["params"]))

    async def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression (a promise is awaited) comes to."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def open(self, url: str, *, width: int = 1200, dark: bool = False, scripts: bool = True) -> None:
        """Load a page as a browser of this width and taste would."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        await self.call("Emulation.setEmulatedMedia", features=scheme)
        await self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def until(self, condition: str) -> None:
        """Return once a JavaScript condition holds."""
        for _ in range(750):
            if await self.evaluate(condition):
                return
            await asyncio.sleep(0.02)  # the browser is another process, and without scripts it cannot call us
        raise TimeoutError(f"in 15 s it never held that {condition}")


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Tab]:
    """Start a browser with one tab."""
    assert BINARY is not None
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
    ]
    browser = await asyncio.create_subprocess_exec(
        BINARY, *flags, "about:blank", stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        assert browser.stderr is not None
        async with asyncio.timeout(30):
            line = b""
            while b"DevTools listening on" not in line:
                line = await browser.stderr.readline()
        port = line.decode().partition("127.0.0.1:")[2].partition("/")[0]
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json") as listed:
                pages = [target for target in await listed.json() if target["type"] == "page"]
            async with http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await tab.call(f"{domain}.enable")
                yield tab
    finally:
        browser.terminate()
        await browser.communicate()
