"""What the Users pages say while a rotation is under way, and of who is stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from practicus_mfa.core.login.rights import Action
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.rotations import Milestone, mark, start_rotation
from tests.support.at_the_admin_pages import USERS, administrator, cells, choose, confirm, listed, texts
from tests.support.at_the_pages import give_password, with_mfa, wrong
from tests.support.people import NEW, OLD
from tests.support.stores import claimed, lagging
from tests.support.web_client import Page, WebDesk

if TYPE_CHECKING:
    from tests.support.web_client import Browser


def progress(browser: Browser) -> tuple[str, bool]:
    """The sentence about the rotation, '' for none; and whether there is a bar beside it."""
    page = browser.get(USERS)
    said = [text for text in Page(page.text).texts if text.startswith("Key rotation")]
    return (said[0] if said else ""), '<progress id="rotation"' in page.text


def test_a_rotation_is_followed_and_migrating_waits_for_replicas(web: WebDesk) -> None:
    browser = administrator(web)
    ada = web.desk.people.add("ada", key=NEW)
    assert progress(browser) == ("", False)
    claim = claimed(web.desk.db)
    with guarded_write(web.desk.db, claim) as connection:
        rotation = start_rotation(connection, OLD.id)
    lagging(web.desk.db, "lags", NEW.id)
    assert progress(browser) == (f"Key rotation to {OLD.id}: 0 of 2, waiting for 1 replica", True)
    assert cells(browser.get(USERS), "ada")["MFA fernet active"] == "False"
    page = choose(browser, Action.MIGRATE_KEY, ada)
    assert "waiting for 1 replica" in texts(page)
    assert "waiting for" not in texts(choose(browser, Action.UNLOCK, ada))
    done = confirm(browser, page)
    assert "waiting for 1 replica. Try again in a minute." in texts(done)
    assert "refresh" not in done.headers
    with guarded_write(web.desk.db, claim) as connection:
        mark(connection, rotation, Milestone.PROMOTED)
    assert progress(browser) == (f"Key rotation to {OLD.id}: 0 of 2", True)


def test_who_is_stopped_after_wrong_codes_is_found_and_unlocked(web: WebDesk) -> None:
    browser = administrator(web)
    with_mfa(web, "ada")
    there = web.browser()
    page = there.follow(give_password(there, "ada"))
    for _ in range(5):
        page = there.submit(page, "/login/totp", button=("", ""), code=wrong(web))
    web.desk.hold_stops(timedelta(seconds=25))
    stopped = browser.get(f"{USERS}?show=stopped")
    assert listed(stopped) == ["ada"]
    assert "stopped" in Page(stopped.text).texts
    ada = web.desk.people.get("ada")
    assert "Codes are stopped for 1 more minute." in texts(browser.get(f"{USERS}/{ada.id}"))
    asked = browser.submit(
        browser.get(f"{USERS}/{ada.id}"), f"{USERS}/action", button=("action-top", str(Action.UNLOCK))
    )
    assert "unlocked 1" in texts(confirm(browser, asked))
    assert "Codes are stopped" not in texts(browser.get(f"{USERS}/{ada.id}"))
    assert listed(browser.get(f"{USERS}?show=stopped")) == []
