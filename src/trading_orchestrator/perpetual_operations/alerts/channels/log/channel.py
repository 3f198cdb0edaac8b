"""The log channel: one line a message, in a rotating file or in the log of the node."""

from __future__ import annotations

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from logging.handlers import RotatingFileHandler
from pathlib import Path

from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.perpetual_operations.alerts.channels.log.config import LogConfig
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.templates.scope import shown_time
from trading_orchestrator.perpetual_operations.alerts.templates.texts import Texts, read_texts

log = logging.getLogger("alerts")


class LogUnwritable(Transient):
    """The file did not take the line (a full disk, a missing folder). Facts: path, reason."""

    code = "alerts.log_unwritable"


class LogRefused(Refused):
    """The file cannot be opened. Facts: path, reason."""

    code = "alerts.log_refused"


class NodeLog:
    """The log of the node; its lines leave through a queue, so nothing can block."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def send(self, letter: Letter) -> str:
        level = logging.ERROR if letter.is_critical and letter.message.status == "firing" else logging.WARNING
        log.log(level, "%s", _line(letter, self._texts))
        return "logged"

    async def close(self) -> None:
        return


class LogFile:
    """A file, written by a thread of its own: a disk that hangs stops neither the loop nor other threads' work."""

    def __init__(self, config: LogConfig, path: str, texts: Texts) -> None:
        self._path = path
        self._texts = texts
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="alert-log")
        self._file = _Rotating(path, maxBytes=config.max_bytes, backupCount=config.keep, encoding="utf-8", delay=True)

    async def send(self, letter: Letter) -> str:
        at = shown_time(letter.message.at_ns)
        line = f"{at}  {_line(letter, self._texts)}  [{letter.idempotency_key}]"
        record = logging.LogRecord("alerts", logging.WARNING, "", 0, line, None, None)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._file.handle, record)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise LogUnwritable(f"{self._path}: {reason}", path=self._path, reason=reason) from None
        return "logged"

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown(wait=False)


class _Rotating(RotatingFileHandler):
    """Tells of a write that failed, where a log handler would print it and go on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exception()
        assert error is not None  # the handler calls this while it handles one
        raise error


def open_log(config: LogConfig, opening: Opening) -> NodeLog | LogFile:
    """Return the channel.

    Raises:
        LogRefused: the folder of the file is not there.
    """
    texts = read_texts(config.texts, opening.external_url, is_short=True)
    if config.path is None:
        return NodeLog(texts)
    if not Path(config.path).parent.is_dir():
        raise LogRefused(f"the folder of {config.path} does not exist", path=config.path, reason="no folder")
    return LogFile(config, config.path, texts)


def _line(letter: Letter, texts: Texts) -> str:
    return " ".join(texts.words(letter.message).text.split())
