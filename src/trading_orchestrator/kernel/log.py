"""Logs leave through a queue and a thread: a blocked terminal must never block the trading loop."""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys

LINE = "%(asctime)s %(levelname).1s %(node)s %(name)s: %(message)s"


def start_logging(node: str, level: str = "INFO") -> logging.handlers.QueueListener:
    """Send every record of this process to stderr from a thread; return its listener, to be stopped at the end."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LINE, datefmt="%H:%M:%S", defaults={"node": node}))
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    root = logging.getLogger()
    root.setLevel(level)
    root.handlers = [logging.handlers.QueueHandler(records)]
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()
    return listener
