"""The folder's objects: rendered from values.yaml, edited by hand, damaged."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.policy import SettingsPage
from practicus_mfa.crypto.keys import FernetKey
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.embedded.objects import install, read_request
from practicus_mfa.reconciler.embedded.policy_file import count_generation
from practicus_mfa.reconciler.embedded.stored_policy import StoredInFolder

if TYPE_CHECKING:
    from pathlib import Path

A, B = FernetKey(b"a" * 32), FernetKey(b"b" * 32)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    root = tmp_path / "data"
    root.mkdir()
    return DataFolder(root)


@pytest.fixture
def values(tmp_path: Path) -> Path:
    return tmp_path / "values.yaml"


def _install(folder: DataFolder, values: Path, **sections: object) -> None:
    values.write_text(dump_yaml({"secretStore": {"activeKey": A.text, "rollingKey": B.text}, **sections}))
    install(folder, values)


def _edit(folder: DataFolder, **changes: object) -> dict[str, Any]:
    policy: Any = read_document(folder.policy)
    policy.update(changes)
    folder.policy.write_text(dump_yaml(policy))
    return dict(policy)


def test_what_is_installed_is_asked_for(folder: DataFolder, values: Path) -> None:
    _install(folder, values, userLogin={"mfa": {"mandatory": True}})
    request = read_request(folder)
    assert request.generation == 1
    assert request.policy.mfa.mandatory
    assert request.policy.secret_ref.active == A.id
    assert request.secret is not None
    assert (request.secret.active, request.secret.rolling) == (A.text, B.text)
    assert A.text not in repr(request)
    assert A.text not in folder.policy.read_text()
    assert stat.S_IMODE(folder.secret_store.stat().st_mode) == 0o600


def test_the_identity_stays_and_the_generation_counts_changes(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    first = read_request(folder)
    _install(folder, values)
    assert read_request(folder) == first
    _install(folder, values, userLogin={"mfa": {"mandatory": True}})
    later = read_request(folder)
    assert (later.generation, later.identity) == (2, first.identity)


def test_reading_writes_nothing(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    _edit(folder, spec={"mfa": {"mandatory": True}})
    before = folder.policy.read_bytes()
    assert read_request(folder).generation == 2
    assert folder.policy.read_bytes() == before
    count_generation(folder)
    assert folder.policy.read_bytes() != before
    assert read_request(folder).generation == 2


def test_the_settings_page_overrides_stay(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    _edit(folder, spec={"overrides": {"mfa": {"mandatory": True}}})
    _install(folder, values)
    assert read_request(folder).policy.mfa.mandatory


def test_overrides_that_are_not_valid_change_nothing(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    _edit(folder, spec={"overrides": {"mfa": {"mandatry": True}}})
    before = folder.secret_store.read_bytes()
    with pytest.raises(UsageError, match="mandatry"):
        _install(folder, values, secretStore={"activeKey": B.text, "rollingKey": A.text})
    assert folder.secret_store.read_bytes() == before


def test_a_database_url_comes_and_goes(folder: DataFolder, values: Path) -> None:
    _install(folder, values, database={"url": "postgresql://me:hunter2@db/mfa"})
    assert stat.S_IMODE(folder.database_secret.stat().st_mode) == 0o600
    assert "hunter2" not in folder.policy.read_text()
    _install(folder, values)
    assert not folder.database_secret.exists()


def test_a_secret_of_a_cluster_is_refused(folder: DataFolder, values: Path) -> None:
    with pytest.raises(UsageError, match=r"database\.existingSecret"):
        _install(folder, values, database={"existingSecret": "elsewhere"})
    assert not folder.policy.exists()


def test_values_that_an_editor_has_just_emptied_are_refused(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    before = folder.secret_store.read_bytes()
    values.write_text("# nothing yet\n")
    with pytest.raises(UsageError, match="is empty"):
        install(folder, values)
    assert folder.secret_store.read_bytes() == before


def test_an_existing_secret_is_read_from_its_own_file(folder: DataFolder, values: Path) -> None:
    _install(folder, values, secretStore={"existingSecret": "mine"})
    assert read_request(folder).secret is None
    (folder.root / "mine.yaml").write_text(dump_yaml({"kind": "Secret", "stringData": {"activeKey": A.text}}))
    request = read_request(folder)
    assert request.secret is not None
    assert (request.secret.active, request.secret.rolling) == (A.text, "")
    assert request.policy.secret_ref.active is None


def test_a_key_that_is_no_key_is_left_to_the_status_to_tell(folder: DataFolder, values: Path) -> None:
    _install(folder, values, secretStore={"activeKey": "no key"})
    request = read_request(folder)
    assert request.policy.secret_ref.active is None
    assert request.secret is not None
    assert request.secret.active == "no key"


def test_no_policy_says_how_to_get_one(folder: DataFolder) -> None:
    with pytest.raises(UsageError, match="holds no MfaPolicy"):
        read_request(folder)


@pytest.mark.parametrize("text", ["", "[]\n", "just text\n", "metadata: {uid: x}\n", "spec:\n"])
def test_a_policy_that_is_cut_short_is_refused_and_kept(folder: DataFolder, values: Path, text: str) -> None:
    _install(folder, values)
    folder.policy.write_text(text)
    for act in (read_request, count_generation, lambda each: install(each, values)):
        with pytest.raises(UsageError, match="cut short, or no MfaPolicy"):
            act(folder)
    assert folder.policy.read_text() == text


def test_a_policy_without_its_name_for_the_database_is_refused(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    _edit(folder, metadata={"name": "practicus-mfa"})
    with pytest.raises(UsageError, match=r"no metadata\.uid"):
        read_request(folder)


@pytest.mark.parametrize("generation", [None, "three", 1.5])
def test_a_generation_that_is_none_is_counted_anew(
    folder: DataFolder, values: Path, generation: object
) -> None:
    _install(folder, values)
    policy: Any = read_document(folder.policy)
    _edit(folder, metadata={**policy["metadata"], "generation": generation})
    assert read_request(folder).generation == 1


def test_a_spec_that_json_has_no_type_for_is_told(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    folder.policy.write_text(folder.policy.read_text().replace("spec:\n", "spec:\n  since: 2024-01-01\n"))
    with pytest.raises(UsageError, match=r"spec\.since"):
        read_request(folder)


@pytest.mark.parametrize(
    "text",
    [
        "{[",
        "- 1\n",
        "rotation: {migrated: many}\n",
        "conditions: [{type: [], status: x, reason: x, lastTransitionTime: x}]\n",
    ],
)
def test_a_damaged_status_is_none(folder: DataFolder, values: Path, text: str) -> None:
    _install(folder, values)
    folder.status.write_text(text)
    assert read_request(folder).status == {}


def test_a_status_is_read_back(folder: DataFolder, values: Path) -> None:
    _install(folder, values)
    folder.status.write_text("activeKeyID: abc\n")
    assert read_request(folder).status == {"activeKeyID": KeyId("abc")}


@pytest.mark.parametrize(("word", "adopts"), [("true", True), ("True", True), ("no", False)])
def test_adopting_is_a_persons_word(folder: DataFolder, values: Path, word: str, adopts: bool) -> None:
    _install(folder, values)
    policy: Any = read_document(folder.policy)
    policy["metadata"]["annotations"]["mfa.practicus.ai/adopt"] = word
    _edit(folder, **policy)
    assert read_request(folder).adopt is adopts


def test_what_the_settings_page_may_do_changes_without_a_new_generation(
    folder: DataFolder, values: Path
) -> None:
    _install(folder, values, login={"settingsPage": "tighten"})
    stored = StoredInFolder(folder)
    assert stored.read().settings_page is SettingsPage.TIGHTEN
    _install(folder, values, login={"settingsPage": "read"})
    assert stored.read().settings_page is SettingsPage.READ
    assert read_request(folder).generation == 1


def test_annotations_of_others_stay_and_what_is_written_already_is_not_written_again(
    folder: DataFolder, values: Path
) -> None:
    _install(folder, values)
    policy: Any = read_document(folder.policy)
    policy["metadata"]["annotations"]["note"] = "mine"
    _edit(folder, **policy)
    _install(folder, values)
    found: Any = read_document(folder.policy)
    assert found["metadata"]["annotations"]["note"] == "mine"
    before = folder.policy.stat().st_mtime_ns
    _install(folder, values)
    count_generation(folder)
    assert folder.policy.stat().st_mtime_ns == before


def test_a_change_of_the_settings_page_is_a_new_generation_with_a_note_of_it(
    folder: DataFolder, values: Path
) -> None:
    _install(folder, values)
    stored = StoredInFolder(folder)
    overrides = {"mfa": {"mandatory": True}}
    assert stored.override(stored.read(), overrides, request="17 then") == 2
    found = stored.read()
    assert (found.generation, found.spec["overrides"], found.applied) == (2, overrides, "17 then")
    assert stored.override(found, {}, request="18 later") == 3
    assert "overrides" not in stored.read().spec
