"""What operations cost a program that idles: two of it at once, one with them and one without, on the same noise."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

MEASURE_S = 60.0
PROJECT = Path(__file__).resolve().parents[1]
Figures = dict[str, float]


def main() -> Sequence[tuple[str, str]]:
    """Measure for about a minute and a half, print a table, and return its rows."""
    with tempfile.TemporaryDirectory(prefix="bench-overhead-") as name:
        bare, full = _measured(Path(name), MEASURE_S)
    rows = [
        (
            "CPU of an idle program without / with operations",
            f"{100 * bare['cpu_ratio']:.2f} / {100 * full['cpu_ratio']:.2f} %",
        ),
        ("  added, of one core (aim < 1 %)", f"{100 * (full['cpu_ratio'] - bare['cpu_ratio']):.2f} %"),
        ("memory that ends with it (USS) without / with", f"{bare['uss'] / 1e6:.1f} / {full['uss'] / 1e6:.1f} MB"),
        (
            "  added (aim < 60 MB)",
            f"{(full['uss'] - bare['uss']) / 1e6:.1f} MB, resident {(full['rss'] - bare['rss']) / 1e6:.1f} MB",
        ),
        (
            "lateness of a sleep of 5 ms, p99, without / with",
            f"{bare['late_p99_ms']:.2f} / {full['late_p99_ms']:.2f} ms",
        ),
        ("  added at p99 (aim < 1 ms)", f"{full['late_p99_ms'] - bare['late_p99_ms']:.2f} ms"),
        ("  at most, without / with", f"{bare['late_max_ms']:.1f} / {full['late_max_ms']:.1f} ms"),
    ]
    for what, figure in rows:
        print(f"{what:<66} {figure}")
    return rows


def _measured(folder: Path, measure_s: float) -> tuple[Figures, Figures]:
    processes = [_start(folder, which, measure_s) for which in ("without", "with")]
    bare, full = (_heard(process) for process in processes)
    return bare, full


def _start(folder: Path, which: str, measure_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.idle_host", which, str(folder), str(measure_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)


def _heard(process: subprocess.Popen[str]) -> Figures:
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the measured program ended with {process.returncode}")
    figures: Figures = json.loads(said.splitlines()[-1])
    return figures


if __name__ == "__main__":
    sys.exit(not main())
