"""Our own script, style and icon, read once from the package: no other host is ever asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files

MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class StaticFile:
    """A file as it is served; the etag is a digest of its content."""

    content: bytes
    media_type: str
    etag: str


def shipped_files() -> Mapping[str, StaticFile]:
    """Return what lies in `static/`, by name."""
    found = {}
    for entry in files(__package__).joinpath("static").iterdir():
        suffix = f".{entry.name.rpartition('.')[2]}"
        if suffix in MEDIA_TYPES:
            content = entry.read_bytes()
            etag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
            found[entry.name] = StaticFile(content, MEDIA_TYPES[suffix], etag)
    return found
