"""A vault: secrets in one encrypted file, its key kept elsewhere; the config names entries as `vault:NAME`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import variable

_PREFIX = "TRADING_ORCHESTRATOR_VAULT"
PATH, KEY, KEY_FILE = _PREFIX, f"{_PREFIX}_KEY", f"{_PREFIX}_KEY_FILE"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class VaultRefused(Refused):
    """The vault cannot be used so. Facts: path or name; never a secret or a key."""

    code = "vault.refused"


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: each entry is a token of its own, so that names can be listed without the key."""

    entries: dict[str, str]
    version: int = 1


def new_key() -> str:
    """Return a fresh key; keep it where the file is not."""
    return Fernet.generate_key().decode()


def open_vault(environment: Callable[[str], str | None] = variable) -> Vault:
    """Return the vault that the environment names.

    Raises:
        VaultRefused: path or key is not given, or the key is none.
    """
    path = environment(PATH)
    if not path:
        raise VaultRefused(f"expected the environment variable {PATH} to name the vault's file, was empty")
    key, key_file = environment(KEY), environment(KEY_FILE)
    if not key and key_file:
        try:
            key = Path(key_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise VaultRefused(f"the vault's key file {key_file} cannot be read", path=key_file) from None
    if not key:
        raise VaultRefused(f"expected {KEY} or {KEY_FILE} to give the vault's key, was empty")
    return Vault(Path(path), key)


class Vault:
    """Reads and writes the file. A write replaces it as a whole, durably, readable by its owner only.

    Source: Fernet (AES-128-CBC with HMAC-SHA256), https://cryptography.io/en/latest/fernet/
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        try:
            self._fernet = Fernet(key.encode())
        except ValueError:
            raise VaultRefused("the vault's key is no key: make one with `vault init`") from None

    def names(self) -> Sequence[str]:
        """Return the names of the entries."""
        return sorted(self._read().entries)

    def get(self, name: str) -> str:
        """Return a secret.

        Raises:
            VaultRefused: there is none of this name, or this key does not open it.
        """
        token = self._read().entries.get(name)
        if token is None:
            raise VaultRefused(f"the vault has no entry {name!r}; `vault list` names them", name=name)
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken:
            raise VaultRefused(f"the vault's key does not open the entry {name!r}", name=name) from None

    def set(self, name: str, secret: str) -> None:
        """Keep a secret; one of this name is replaced.

        Raises:
            VaultRefused: the name or the secret is none, or the file cannot be written.
        """
        if not NAME.fullmatch(name):
            raise VaultRefused("a name has letters, digits, `_`, `.` and `-`, at most 100 of them", name=name)
        if not secret:
            raise VaultRefused(f"expected a secret for {name!r}, was empty", name=name)
        self._write({**self._read().entries, name: self._fernet.encrypt(secret.encode()).decode()})

    def remove(self, name: str) -> None:
        """Forget a secret.

        Raises:
            VaultRefused: there is none of this name.
        """
        entries = dict(self._read().entries)
        if entries.pop(name, None) is None:
            raise VaultRefused(f"the vault has no entry {name!r}; `vault list` names them", name=name)
        self._write(entries)

    def _read(self) -> Contents:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Contents)
        except FileNotFoundError:
            return Contents({})
        except OSError as error:
            raise VaultRefused(
                f"the vault {self._path} cannot be read: {error.strerror}", path=str(self._path)
            ) from None
        except msgspec.MsgspecError:
            raise VaultRefused(f"{self._path} is no vault", path=str(self._path)) from None

    def _write(self, entries: dict[str, str]) -> None:
        body = msgspec.json.format(msgspec.json.encode(Contents(entries)), indent=1)
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise VaultRefused(
                f"the vault {self._path} cannot be written: {error.strerror}", path=str(self._path)
            ) from None
