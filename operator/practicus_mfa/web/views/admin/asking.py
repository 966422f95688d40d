"""Asking whether something is really meant, with the code or password that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from practicus_mfa.web import step_up
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with a button.

    Attributes:
        title: What it is about.
        text: What happens then.
        action: Where the answer is posted to.
        button: What the button says.
        back: Where "Cancel" leads to.
        section: The part of the administration that it belongs to.
        fields: What is posted along.
        danger: It can't be taken back by the same page.
    """

    title: str
    text: str
    action: str
    button: str
    back: str
    section: str = "/admin/users"
    fields: Mapping[str, str] = field(default_factory=dict)
    danger: bool = False


def ask(visit: Visit, question: Question, denied: Denied | None = None) -> Response:
    """Show *question*.

    Args:
        visit: The visit.
        question: What is asked.
        denied: Why the code or password that came with the answer was not taken.
    """
    # Who was not asked for one yet did nothing wrong.
    given = denied is not None and bool(visit.text(step_up.FIELD))
    return visit.page(
        "admin/sure.html",
        status=denied.status if denied is not None and given else 200,
        section=question.section,
        title=question.title,
        text=question.text,
        action=question.action,
        button=question.button,
        back=question.back,
        fields=question.fields,
        danger=question.danger,
        proof=step_up.asked(visit),
        error=denied.text if denied is not None and given else "",
    )
