"""Pages: templates filled in, in the language of the visitor."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.web.security import content_policy
from practicus_mfa.web.translations import LANGUAGES, Language

FORM_FIELD: Final = "form_token"

_STYLE: Final = "static/style.css"


@cache
def style_address() -> str:
    """Return where the styles are: elsewhere in each release that changes them, since browsers keep them."""
    text = resources.files("practicus_mfa.web").joinpath(_STYLE).read_bytes()
    return f"/{_STYLE}?{hashlib.sha256(text).hexdigest()[:12]}"


@cache
def _environment(code: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("practicus_mfa.web"),
        autoescape=True,
        # A name that a view forgot is an error in its test, not a hole in the page.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.globals["language_code"] = code
    environment.globals["style_address"] = style_address()
    return environment


def page(
    template: str,
    language: Language,
    config: LoginConfig,
    *,
    status: int = 200,
    target: str = "",
    **values: Any,  # noqa: ANN401 - whatever a template shows
) -> HTMLResponse:
    """Return a page.

    Args:
        template: The template's name.
        language: What to write it in.
        config: How the service is called.
        status: The answer's status.
        target: Where the page's form may lead in the end.
        values: What the template shows.
    """
    environment = _environment(language.code)
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        language.gettext, language.ngettext, newstyle=True
    )
    shown = {
        "branding": config.branding,
        "language": language,
        "languages": LANGUAGES,
        "form_field": FORM_FIELD,
        "target": target,
        **values,
    }
    response = HTMLResponse(environment.get_template(template).render(shown), status_code=status)
    response.headers["Content-Security-Policy"] = content_policy(config, target)
    response.headers["Content-Language"] = language.code
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response
