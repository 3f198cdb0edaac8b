"""The watchdog as a process: it posts and mails by itself when the system is killed, and says when it is back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.integration.alerts.http_receiver import receiver, said
from tests.integration.alerts.mail_server import mail_server
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.signature import HEADER, verify
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.watchdog.pulse import PULSE_FILE, WATCH_FILE, Pulse, State, read_pulse, write_pulse

pytestmark = pytest.mark.integration
CLOCK = SystemClock()
COMMAND = Path(sys.executable).with_name("trading-orchestrator")
CONFIG = """
data_dir = "{folder}"
[perpetual_operations.watchdog]
pulse_s = 0.5
look_s = 0.1
silent_s = 1.5
start_s = 60
timeout_s = 2
[perpetual_operations.watchdog.post]
url = "env:HOOK_URL"
secret = "env:HOOK_SECRET"
[perpetual_operations.watchdog.mail]
host = "127.0.0.1"
port = {mail_port}
tls = "none"
sender = "dog@desk.example"
to = ["one@people.example"]
"""


def beat(folder: Path, state: State = State.WELL) -> None:
    now_ns = CLOCK.boot_ns()
    pulse = Pulse(
        node="node-1",
        state=state,
        says="",
        boot_id=read_boot_id(),
        at_boot_ns=now_ns,
        at_wall_ns=CLOCK.wall_ns(),
        well_boot_ns=now_ns,
    )
    write_pulse(folder / PULSE_FILE, pulse)


async def until(look: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(20):
            while not look():
                await CLOCK.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


@asynccontextmanager
async def watchdog(folder: Path, port: int, mail_port: int, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    path = folder / "system.toml"
    path.write_text(CONFIG.format(folder=folder, mail_port=mail_port))
    environ = os.environ | {"HOOK_URL": f"http://127.0.0.1:{port}/hook", "HOOK_SECRET": "shared"}
    process = await asyncio.create_subprocess_exec(
        str(COMMAND), "watchdog", "--config", str(path), *more, env=environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_a_system_that_is_gone_is_told_by_post_and_mail_and_its_return_too(tmp_path: Path) -> None:
    async with (
        receiver(said("503 Away"), said("200 OK")) as one,
        mail_server() as post_office,
        watchdog(tmp_path, one.port, post_office.port) as process,
    ):
        await until(lambda: read_pulse(tmp_path / WATCH_FILE), "a sign of the watchdog")
        beat(tmp_path)
        await until(lambda: len(one.bodies) >= 2 and post_office.mails, "an alarm, tried twice")
        beat(tmp_path)
        await until(lambda: len(one.bodies) >= 3 and len(post_office.mails) >= 2, "the end of the alarm")
        process.send_signal(signal.SIGTERM)
        assert 0 == await process.wait()

    refused, told, back = (json.loads(body) for body in one.bodies[:3])
    keys = [one.headers(number)["idempotency-key"] for number in range(3)]
    assert (refused["alerts"][0]["labels"], keys[0]) == (told["alerts"][0]["labels"], keys[1])
    assert ["firing", "resolved"] == [told["status"], back["status"]]
    assert told["commonAnnotations"]["summary"].startswith("The trading system has given no sign of life for")
    verify(one.bodies[1], one.headers(1)[HEADER.lower()], secret="shared", now_s=CLOCK.wall_ns() // 10**9)
    mails = [mail for _, mail in post_office.mails]
    assert [f"<{keys[1]}@desk.example>", f"<{keys[2]}@desk.example>"] == [mail["Message-ID"] for mail in mails]
    assert mails[0]["References"] == mails[1]["References"]


async def test_a_test_notice_goes_by_every_way_and_says_which_failed(tmp_path: Path) -> None:
    async with (
        receiver(said("500 Oops")) as one,
        mail_server() as post_office,
        watchdog(tmp_path, one.port, post_office.port, "--test") as process,
    ):
        _, told = await process.communicate()

    assert b"watchdog: post: answered 500\nwatchdog: told by mail\n" == told
    assert 1 == process.returncode
    assert "This is a test" in str(post_office.mails[0][1]["Subject"])


async def test_the_watchdog_is_small_and_shares_nothing_with_what_it_watches(tmp_path: Path) -> None:
    async with (
        receiver(said("200 OK")) as one,
        mail_server() as post_office,
        watchdog(tmp_path, one.port, post_office.port) as process,
    ):
        await until(lambda: read_pulse(tmp_path / WATCH_FILE), "a sign of the watchdog")
        it = psutil.Process(process.pid)
        loaded = {Path(found.path).name for found in it.memory_maps() if ".so" in found.path}
        held = [found.path for found in it.open_files()]

    assert set() == {name for name in loaded if name.startswith(("apsw", "_multiarray", "httptools", "uvloop"))}
    assert [] == held


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("", "nobody to tell"),
        ("[perpetual_operations.watchdog.post]\nurl = 'env:NOT_SET_ANYWHERE'", "NOT_SET_ANYWHERE"),
        ("[perpetual_operations.watchdog]\nsilent = 3", "did you mean `silent_s`"),
    ],
)
async def test_a_watchdog_that_could_never_tell_does_not_start(tmp_path: Path, config: str, reason: str) -> None:
    path = tmp_path / "system.toml"
    path.write_text(config)
    process = await asyncio.create_subprocess_exec(
        str(COMMAND), "watchdog", "--config", str(path), stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()

    assert reason in told.decode()
    assert process.returncode in (1, 2)
