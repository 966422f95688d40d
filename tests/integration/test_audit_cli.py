"""``practicus-mfa audit`` as a person types it, on a data folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, update

from practicus_mfa.cli.main import run
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import EXIT_NEEDS_PERSON, EXIT_USAGE
from practicus_mfa.storage import audit_list
from practicus_mfa.storage import schema as s
from practicus_mfa.storage.audit_chain import head, seal
from tests.support.audit_tampering import let_settle, unguarded
from tests.support.stores import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from practicus_mfa.storage.engine import Database

    Shell = Callable[..., tuple[list[str], list[str]]]

YEAR = 2026
CHANGED = "line 3 of the audit was changed after it was sealed (place 3 of the chain)"
REMEDY = "remedy: find out who can write to the database; a backup of before shows what the audit was"


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Database]:
    """Six lines, one a month, sealed a while ago."""
    with ready(f"sqlite:///{folder.sqlite}") as db:
        with db.write() as connection:
            rows = [
                {
                    "at": datetime(YEAR, month, 1, 12, tzinfo=UTC),
                    "actor": "ada" if month % 2 else "bob",
                    "action": "login",
                    "subject": "ada" if month % 2 else "bob",
                    "result": "done" if month < 5 else "wrong password",
                    "detail": {"address": "192.0.2.7"},
                }
                for month in range(1, 7)
            ]
            connection.execute(insert(s.audit), rows)
        seal(db)
        let_settle(db)
        yield db


@pytest.fixture
def shell(store: Database, folder: DataFolder, capsys: pytest.CaptureFixture[str]) -> Shell:
    del store

    def ran(*words: str, code: int = 0) -> tuple[list[str], list[str]]:
        capsys.readouterr()
        assert run(["audit", *words, "--data-dir", str(folder.root)]) == code
        out, err = capsys.readouterr()
        return out.splitlines(), err.splitlines()

    return ran


def head_of(db: Database) -> str:
    with db.read() as connection:
        return str(head(connection))


# --- export -------------------------------------------------------------------------------------------


def test_a_line_is_one_line_of_json(shell: Shell, store: Database) -> None:
    out, _ = shell("export")
    assert len(out) == 6
    count, _, hash_ = head_of(store).partition(":")
    assert json.loads(out[-1]) == {
        "id": 6,
        "at": "2026-06-01T12:00:00.000000Z",
        "actor": "bob",
        "action": "login",
        "subject": "bob",
        "result": "wrong password",
        "detail": {"address": "192.0.2.7"},
        "position": int(count),
        "hash": hash_,
    }


@pytest.mark.parametrize(
    ("words", "months"),
    [
        (["--actor", "ada"], [1, 3, 5]),
        (["--subject", "bob", "--result", "done"], [2, 4]),
        (["--action", "logout"], []),
        (["--since", "2026-03-01"], [3, 4, 5, 6]),
        (["--since", "2026-03-01T12:00:01Z", "--until", "2026-05-01T14:00:00+02:00"], [4]),
    ],
)
def test_lines_are_chosen(shell: Shell, words: list[str], months: list[int]) -> None:
    out, _ = shell("export", *words)
    assert [json.loads(line)["id"] for line in out] == months


def test_pages_are_put_together(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 2, 4, 6):
        monkeypatch.setattr(audit_list, "AT_ONCE", size)
        assert [json.loads(line)["id"] for line in shell("export")[0]] == [1, 2, 3, 4, 5, 6]


def test_a_line_that_waits_has_no_place(shell: Shell, store: Database) -> None:
    with store.write() as connection:
        connection.execute(insert(s.audit).values(actor="ada", action="logout"))
    last = json.loads(shell("export")[0][-1])
    assert (last["position"], last["hash"]) == (None, None)


def test_a_time_that_is_none_is_refused(shell: Shell) -> None:
    _, err = shell("export", "--since", "yesterday", code=EXIT_USAGE)
    assert "'yesterday' is no time: write 2026-05-01 or 2026-05-01T12:30:00Z" in err[0]


# --- verify -------------------------------------------------------------------------------------------


def test_a_whole_audit_is_told_with_its_head(shell: Shell, store: Database) -> None:
    kept = head_of(store)
    assert shell("verify")[0] == ["Sealed lines looked at: 6", f"Head: {kept}"]
    with store.write() as connection:
        connection.execute(insert(s.audit).values(actor="ada", action="logout"))
    assert shell("verify", "--head", kept)[0] == [
        "Sealed lines looked at: 6",
        "Lines that wait to be sealed: 1",
        "The head 6 is on the chain.",
        f"Head: {kept}",
    ]


def test_a_changed_line_is_named_and_the_exit_code_says_so(shell: Shell, store: Database) -> None:
    with unguarded(store) as connection:
        connection.execute(update(s.audit).where(s.audit.c.id.in_([3, 4])).values(actor="mallory"))
    _, err = shell("verify", code=EXIT_NEEDS_PERSON)
    assert err == [
        f"error: {CHANGED}; 2 places do not fit in all, this is the first",
        REMEDY,
    ]
    out, _ = shell("verify", "-o", "json", code=EXIT_NEEDS_PERSON)
    found = json.loads("\n".join(out))
    assert (found["whole"], found["broken"]) == (False, 2)
    assert found["first"] == {"fault": "changed", "line": 3, "position": 3}


def test_a_removed_line_and_a_missing_place_are_named(shell: Shell, store: Database) -> None:
    with unguarded(store) as connection:
        connection.execute(delete(s.audit).where(s.audit.c.id == 3))
    assert shell("verify", code=EXIT_NEEDS_PERSON)[1][0] == (
        "error: line 3 of the audit was removed (place 3 of the chain)"
    )
    with unguarded(store) as connection:
        connection.execute(delete(s.audit_chain).where(s.audit_chain.c.line_id == 3))
    assert shell("verify", code=EXIT_NEEDS_PERSON)[1][0] == (
        "error: place 3 of the audit's chain was removed"
    )


def test_a_line_that_was_put_in_is_named(shell: Shell, store: Database) -> None:
    with store.write() as connection:
        connection.execute(insert(s.audit).values(id=-5, actor="mallory", action="login"))
    seal(store)
    assert shell("verify", code=EXIT_NEEDS_PERSON)[1][0] == (
        "error: line -5 of the audit was put in after later lines were sealed"
    )
    assert len(shell("export")[0]) == 7


def test_a_head_that_is_not_on_the_chain_is_told(shell: Shell, store: Database) -> None:
    kept = head_of(store)
    other = f"6:{'0' * 64}"
    assert shell("verify", "--head", other, code=EXIT_NEEDS_PERSON)[1] == [
        "error: the audit's chain was computed anew: at place 6 it does not have the given hash",
        REMEDY,
    ]
    assert shell("verify", "--head", f"7{kept[1:]}", code=EXIT_NEEDS_PERSON)[1][0] == (
        "error: the end of the audit was cut off: the head has more lines, place 7 is missing"
    )
    assert "a head is written COUNT:HASH" in shell("verify", "--head", "6", code=EXIT_USAGE)[1][0]


# --- prune --------------------------------------------------------------------------------------------


def test_old_lines_are_pruned_and_the_rest_is_still_whole(shell: Shell, store: Database) -> None:
    old = json.loads(shell("export", "--until", "2026-03-01")[0][-1])
    out, _ = shell("prune", "--before", "2026-03-01", "--yes")
    gone = f"2:{old['hash']}"
    assert out == ["2 lines were deleted.", f"Head of what was deleted: {gone}"]
    seal(store)
    out, _ = shell("verify", "--head", gone)
    assert out[:3] == [
        f"Pruned up to line 2 of the chain: {gone}",
        "Sealed lines looked at: 5",
        "The head 2 is on the chain.",
    ]
    older = shell("verify", "--head", f"1:{'0' * 64}")[0]
    assert "The head 1 can't be compared: the lines that it speaks for were pruned." in older
    last = json.loads(shell("export")[0][-1])
    assert (last["action"], last["detail"]["lines"]) == ("audit.prune", 2)
    assert last["actor"].startswith("cli:")


def test_nothing_is_deleted_unasked(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = shell("prune", "--before", "2026-03-01", code=EXIT_USAGE)
    assert err[0] == "error: there is no terminal to ask at whether to delete lines"
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda text, **_: asked.append(text))
    shell("prune", "--before", "2026-03-01")
    assert asked == ["Delete 2 lines of before 2026-03-01 00:00:00Z?"]


def test_where_nothing_is_old_nothing_is_done(shell: Shell) -> None:
    out, err = shell("prune", "--before", "2025-01-01", "--yes")
    assert (out, err) == ([], ["No sealed line is older than 2025-01-01 00:00:00Z: nothing was changed."])


def test_what_shows_a_change_is_not_pruned_unasked(shell: Shell, store: Database) -> None:
    with unguarded(store) as connection:
        connection.execute(update(s.audit).where(s.audit.c.id == 2).values(actor="mallory"))
    _, err = shell("prune", "--before", "2026-03-01", "--yes", code=EXIT_NEEDS_PERSON)
    assert err[1].endswith("; --even-broken prunes all the same")
    assert len(shell("export")[0]) == 6
    # What comes later does not matter to what goes.
    shell("prune", "--before", "2026-02-01", "--yes")
    shell("prune", "--before", "2026-03-01", "--yes", "--even-broken")
    assert shell("verify")[1] == []
