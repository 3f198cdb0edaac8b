"""A newer release of this program, for which this one is the old binary: it ships migrations that we do not know."""

from __future__ import annotations

from pathlib import Path

import trading_orchestrator

PACKAGE = Path(trading_orchestrator.__file__).parent
MIGRATIONS = PACKAGE / "storage" / "sqlite" / "migrations"
ADDED = {
    "0002_places.sql": "CREATE TABLE places (name TEXT PRIMARY KEY, told TEXT NOT NULL) STRICT;\n"
    "INSERT INTO places VALUES ('first', 'by the newer release');\n"
    "ALTER TABLE facts ADD COLUMN place TEXT;\n",
    "0003_places_are_found.sql": "CREATE INDEX facts_by_place ON facts (place) WHERE place IS NOT NULL;\n"
    "UPDATE places SET told = 'and indexed';\n",
}


def newer_release(folder: Path) -> Path:
    """Lay out the package with two migrations more; returns what goes to the front of PYTHONPATH.

    Only the way down to the migrations is made anew; all else is linked, so that nothing is compiled twice.
    """
    package = folder / PACKAGE.name
    for parent in (PACKAGE, PACKAGE / "storage", PACKAGE / "storage" / "sqlite", MIGRATIONS):
        made = package / parent.relative_to(PACKAGE)
        made.mkdir(parents=True)
        for child in parent.iterdir():
            if child.name != "__pycache__" and child not in MIGRATIONS.parents and child != MIGRATIONS:
                (made / child.name).symlink_to(child)
    for name, sql in ADDED.items():
        assert not (MIGRATIONS / name).exists(), f"{name} is shipped by now: give the newer release a later number"
        (package / MIGRATIONS.relative_to(PACKAGE) / name).write_text(sql)
    return folder
