"""What a test needs and this machine does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.postgres_programs import in_ci

if TYPE_CHECKING:
    from typing import NoReturn


def without(reason: object) -> NoReturn:
    """Skip the test for this reason, which says how to get what is missing; in CI, fail it."""
    if in_ci():
        pytest.fail(str(reason), pytrace=False)
    pytest.skip(str(reason))
