"""Measures again every figure the README quotes: `make bench`, or `python -m benchmarks journal orders`."""

from __future__ import annotations

import compileall
import importlib
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
TABLES = {
    "journal": "the journal against bare SQLite in the same run",
    "orders": "the order path through the venue's process, and what a takeover costs",
    "desk": "one desk without a system around it: take, and decision to answer",
    "anomalies": "the anomaly detector by the NAB score on labelled server series",
    "reconcile": "a start with 10,000 open orders and 100,000 trades to book",
    "ghost": "an order taken and never answered: our state beside what ccxt alone leaves (40 s)",
    "overhead": "what operations cost an idle FastAPI program: CPU, memory, lateness of its loop",
    "history": "the metrics history against a plain SQLite table: bytes a sample, writes, queries",
    "alerts": "alerts over HTTP beside Debian's Alertmanager: accept rate, storms of one group and many, fire to hook",
    "ccxt_submit": "one order through ccxt without journal or desk",
    "ccxt_import": "what importing one exchange costs",
    "memory": "memory over a million orders: bytes an order (the last, with 12 minutes of CPU)",
}


def main(chosen: list[str]) -> int:
    """Run the chosen tables, or all; return the exit code."""
    unknown = [name for name in chosen if name not in TABLES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; known are: {', '.join(TABLES)}", file=sys.stderr)
        return 2
    compileall.compile_dir(SOURCE, quiet=1)  # as installed: PYTHONDONTWRITEBYTECODE has each start compile what changed
    for name in chosen or TABLES:
        print(f"\n== {name}: {TABLES[name]}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
