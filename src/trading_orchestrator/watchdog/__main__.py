"""`python -m trading_orchestrator.watchdog`: a process that shares nothing with the system but one small file."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock, SystemClock
from trading_orchestrator.kernel.config import ConfigRefused, build, environment, merged, read_toml
from trading_orchestrator.kernel.secret_reference import revealed
from trading_orchestrator.watchdog.config import WatchdogConfig
from trading_orchestrator.watchdog.sending import NotTold, Send, mailer, poster
from trading_orchestrator.watchdog.watch import News, Notice
from trading_orchestrator.watchdog.watchdog import Watchdog

ENVIRONMENT = "TRADING_ORCHESTRATOR"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TABLE = ("perpetual_operations", "watchdog")
FAILED, WRONG_USE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Watch until SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="trading-orchestrator watchdog", description=__doc__)
    parser.add_argument(
        "--config",
        type=Path,
        default=None,
        help="the system's config file; its table perpetual_operations.watchdog is read",
    )
    parser.add_argument("--data-dir", type=Path, default=None, help="where the system lives; wins over the config")
    parser.add_argument("--test", action="store_true", help="tell a test notice by every way, and end")
    options = parser.parse_args(argv)
    clock = SystemClock()
    try:
        values = merged(read_toml(options.config) if options.config else {}, environment(ENVIRONMENT))
        config = _config(values, str(options.config or "the environment"))
        data_dir = options.data_dir or Path(str(values.get("data_dir", "data")))
        ways = open_ways(config)
        if options.test:
            return _test(ways, clock)
        return _watch(config, data_dir, ways, clock)
    except OrchestratorError as error:
        _say(error.message)
        return WRONG_USE if error.code.startswith("config.") else FAILED


def open_ways(config: WatchdogConfig) -> Mapping[str, Send]:
    """Return every configured way, its secrets resolved.

    Raises:
        ConfigRefused: there is none.
        SecretRefused: a reference leads nowhere.
    """
    ways: dict[str, Send] = {}
    host = socket.gethostname()
    if config.post is not None:
        url = config.post.url if config.post.url.startswith("http") else revealed(config.post.url)
        secret = None if config.post.secret is None else revealed(config.post.secret)
        ways["post"] = poster(url=url, secret=secret, host=host, timeout_s=config.timeout_s)
    if config.mail is not None:
        password = None if config.mail.password is None else revealed(config.mail.password)
        ways["mail"] = mailer(config.mail, password=password, host=host, timeout_s=config.timeout_s)
    if not ways:
        raise ConfigRefused(
            "the watchdog has nobody to tell: set [perpetual_operations.watchdog.post] or .mail in the config",
            key="watchdog",
        )
    return ways


def _watch(config: WatchdogConfig, data_dir: Path, ways: Mapping[str, Send], clock: Clock) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    boot_id = BOOT_ID.read_text(encoding="ascii").strip()
    watchdog = Watchdog(config, data_dir, boot_id, clock, ways, _say)
    _say(f"watching {data_dir}, telling by {' and '.join(ways)} after {config.silent_s:g} s of silence")
    while not stop.wait(config.look_s):
        watchdog.round()
    return 0


def _test(ways: Mapping[str, Send], clock: Clock) -> int:
    now_ns = clock.wall_ns()
    notice = Notice(f"watchdog-test-{now_ns}", News.SILENT, "This is a test of the watchdog. Nothing is wrong.", now_ns)
    code = 0
    for name, send in ways.items():
        try:
            send(notice, now_ns)
            _say(f"told by {name}")
        except NotTold as error:
            _say(error.message)
            code = FAILED
    return code


def _config(values: Mapping[str, Any], source: str) -> WatchdogConfig:
    found: Any = values
    for name in TABLE:
        found = found.get(name, {})
    return build(WatchdogConfig, found, source=f"{source}: {'.'.join(TABLE)}")


def _say(text: str) -> None:
    sys.stderr.write(f"watchdog: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
