"""Real processes to write, wait and die in: each talks in lines on its standard output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def running(script: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Run a script of this folder; at the end it is killed if it still lives."""
    command = [sys.executable, str(HERE / script), *map(str, args)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next whole line; a process that ended without one fails the test."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.endswith("\n"), f"the process ended with {process.wait()} after {line!r}"
    return line.strip()


def rest_of(process: subprocess.Popen[str]) -> list[str]:
    """Return the whole lines that were printed before the process ended."""
    assert process.stdout is not None
    return [line.strip() for line in process.stdout if line.endswith("\n")]
