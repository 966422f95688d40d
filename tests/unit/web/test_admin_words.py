"""The administrators' words: one for everything there is, in every language, none twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from practicus_mfa.core.login.rights import BULK
from practicus_mfa.core.login.throttle import Kind
from practicus_mfa.login.acts.by import Outcome
from practicus_mfa.storage.user_list import KeyHint
from practicus_mfa.web.translations import LANGUAGES, languages
from practicus_mfa.web.views.admin import words

if TYPE_CHECKING:
    from practicus_mfa.web.visit import Visit


@pytest.fixture(params=list(LANGUAGES))
def visit(request: pytest.FixtureRequest) -> Visit:
    language = languages()[request.param]
    return cast("Visit", SimpleNamespace(language=language, say=language.gettext))


def test_each_action_has_a_name_and_a_meaning(visit: Visit) -> None:
    assert list(words.action_names(visit)) == list(BULK)
    assert len({words.action_meaning(visit, action) for action in BULK}) == len(BULK)


def test_each_outcome_has_words_of_its_own(visit: Visit) -> None:
    assert len({words.outcome_text(visit, outcome) for outcome in Outcome}) == len(Outcome)


def test_each_state_of_a_key_and_each_stop_has_words(visit: Visit) -> None:
    assert len({words.key_text(visit, hint) for hint in KeyHint}) == len(KeyHint)
    assert len({words.stop_text(visit, kind, 61) for kind in Kind}) == len(Kind)
    assert "2" in words.stop_text(visit, Kind.CODE, 61)
    assert "2" not in words.stop_text(visit, Kind.CODE, None)
