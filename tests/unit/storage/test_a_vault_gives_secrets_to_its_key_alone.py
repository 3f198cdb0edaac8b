"""Secrets rest encrypted, open only to the key, and never show in an error."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from trading_orchestrator.kernel.secret_reference import SecretRefused
from trading_orchestrator.kernel.secret_reference import revealed as revealed_without
from trading_orchestrator.perpetual_operations.alerts.secret_reference import revealed
from trading_orchestrator.storage.vault import KEY, KEY_FILE, PATH, Vault, VaultRefused, new_key, open_vault

SECRET = "hunter2 ünd möre"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.json"


def test_what_was_kept_comes_back_and_does_not_stand_in_the_file(path: Path) -> None:
    key = new_key()
    Vault(path, key).set("mail", SECRET)

    assert SECRET == Vault(path, key).get("mail")
    assert "hunter2" not in path.read_text()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert ["mail"] == list(Vault(path, new_key()).names())


def test_another_key_opens_nothing(path: Path) -> None:
    Vault(path, new_key()).set("mail", SECRET)

    with pytest.raises(VaultRefused, match="the vault's key does not open the entry 'mail'"):
        Vault(path, new_key()).get("mail")


def test_a_changed_entry_is_noticed(path: Path) -> None:
    key = new_key()
    Vault(path, key).set("mail", SECRET)
    path.write_text(path.read_text().replace("gAAAA", "gAAAB"))

    with pytest.raises(VaultRefused, match="does not open"):
        Vault(path, key).get("mail")


def test_entries_are_replaced_and_removed(path: Path) -> None:
    vault = Vault(path, new_key())
    vault.set("mail", "old")
    vault.set("mail", SECRET)
    vault.set("chat", "other")
    vault.remove("chat")

    assert (["mail"], SECRET) == (list(vault.names()), vault.get("mail"))
    with pytest.raises(VaultRefused, match="no entry 'chat'"):
        vault.remove("chat")


@pytest.mark.parametrize(("name", "secret"), [("", "x"), ("../up", "x"), ("mail", "")])
def test_what_is_no_entry_is_refused(path: Path, name: str, secret: str) -> None:
    with pytest.raises(VaultRefused):
        Vault(path, new_key()).set(name, secret)

    assert not path.exists()


def test_a_file_that_is_no_vault_is_left_alone(path: Path) -> None:
    path.write_text("[1, 2]")
    with pytest.raises(VaultRefused, match="is no vault"):
        Vault(path, new_key()).set("mail", SECRET)

    assert "[1, 2]" == path.read_text()


def test_the_environment_says_where_file_and_key_are(path: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(new_key() + "\n")
    environ = {PATH: str(path), KEY_FILE: str(key_file)}
    open_vault(environ.get).set("mail", SECRET)

    assert SECRET == open_vault(environ.get).get("mail")
    for missing in (PATH, KEY_FILE):
        with pytest.raises(VaultRefused, match=PATH):
            open_vault({name: value for name, value in environ.items() if name != missing}.get)
    with pytest.raises(VaultRefused, match="no key"):
        open_vault({PATH: str(path), KEY: "not a key"}.get)


def test_a_reference_leads_into_the_vault(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    Vault(path, key).set("mail", SECRET)
    monkeypatch.setenv(PATH, str(path))
    monkeypatch.setenv(KEY, key)

    assert SECRET == revealed("vault:mail")
    with pytest.raises(SecretRefused, match="the vault has no entry 'chat'"):
        revealed("vault:chat")
    with pytest.raises(SecretRefused, match="opens no vault"):
        revealed_without("vault:mail")
