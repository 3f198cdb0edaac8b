"""Seconds and memory to import one exchange: our lean way against `import ccxt.pro`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

SOURCE = Path(__file__).resolve().parents[1] / "src"
MEASURED = """
import resource, time
began = time.perf_counter()
{what}
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
WAYS = {
    "lean": "from trading_orchestrator.brokers.ccxt.lean_import import exchange_class; exchange_class('binance')",
    "plain": "import ccxt.pro; ccxt.pro.binance",
}


def main(rounds: int = 7) -> None:
    for name, what in WAYS.items():
        runs = [_run(MEASURED.format(what=what)) for _ in range(rounds)]
        seconds, megabytes = (median(column) for column in zip(*runs, strict=True))
        print(f"import ccxt {name:5}: median {seconds:.3f} s, {megabytes:.0f} MB of {rounds} processes")


def _run(program: str) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", program], cwd=SOURCE, capture_output=True, text=True, check=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


if __name__ == "__main__":
    main()
