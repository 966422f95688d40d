"""The data folder's files have names that people are told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import UsageError


def test_each_file_has_its_name_and_no_two_are_the_same() -> None:
    folder = DataFolder(Path("d"))
    names = {name for name in dir(DataFolder) if isinstance(getattr(DataFolder, name), property)}
    paths = {name: getattr(folder, name) for name in names - {"sqlite_url"}}
    assert len(set(paths.values())) == len(paths)
    assert all(path.parent == folder.root for path in paths.values())
    assert folder.sqlite == Path("d/practicus-mfa.db")
    assert folder.keyring == Path("d/keyring.yaml")
    assert folder.sqlite_url == "sqlite:///d/practicus-mfa.db"


def test_a_name_that_a_url_can_t_hold_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        _ = DataFolder(Path("a?b")).sqlite_url
    assert caught.value.message == "a?b has a question mark, which a database URL can't hold"
    assert caught.value.remedy == "rename it"
