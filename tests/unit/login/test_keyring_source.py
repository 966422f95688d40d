"""The keyring as a file: every way in which it changes is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import dump
from practicus_mfa.crypto.keys import FernetKey, HeldKeys, generate_key
from practicus_mfa.errors import UsageError
from practicus_mfa.files import write_secretly
from practicus_mfa.login.keyring_source import KeyringFile

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = generate_key(), generate_key()


def text(key: FernetKey) -> str:
    return dump(Keyring(1, {key.id: KeyState.ACTIVE}), HeldKeys([key]))


def mounted(root: Path, version: str, key: FernetKey) -> None:
    """Change a mounted Secret as the kubelet does: a new folder, and a link that is moved to it."""
    folder = root / version
    folder.mkdir()
    (folder / "keyring.yaml").write_text(text(key))
    (root / "..data_tmp").symlink_to(version)
    (root / "..data_tmp").rename(root / "..data")
    if not (root / "keyring.yaml").is_symlink():
        (root / "keyring.yaml").symlink_to("..data/keyring.yaml")


def test_a_file_that_is_replaced_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "keyring.yaml"
    write_secretly(path, text(ONE))
    source = KeyringFile(path)
    before = source.stamp()
    assert before == source.stamp()
    write_secretly(path, text(TWO))
    assert source.stamp() != before
    assert set(source.load()[1]) == {TWO.id}


@pytest.mark.parametrize("name", ["", "keyring.yaml"])
def test_a_mounted_secret_is_followed_by_its_folder_or_its_file(tmp_path: Path, name: str) -> None:
    mounted(tmp_path, "..2026_1", ONE)
    source = KeyringFile(tmp_path / name)
    before = source.stamp()
    assert set(source.load()[1]) == {ONE.id}
    mounted(tmp_path, "..2026_2", TWO)
    assert source.stamp() != before
    assert set(source.load()[1]) == {TWO.id}


def test_a_file_that_is_not_there_has_no_stamp_and_is_named(tmp_path: Path) -> None:
    source = KeyringFile(tmp_path / "keyring.yaml")
    assert source.stamp() is None
    with pytest.raises(UsageError, match=r"there is no file .*/keyring\.yaml"):
        source.load()


def test_no_key_is_in_its_repr(tmp_path: Path) -> None:
    write_secretly(tmp_path / "keyring.yaml", text(ONE))
    assert ONE.text not in repr(KeyringFile(tmp_path).load())
