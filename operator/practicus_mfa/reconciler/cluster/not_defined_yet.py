"""The operator is there, and the API server does not list MfaPolicies yet: it waits, and does not lead.

kopf looks for what is served once, at its start, and never watches a kind that comes later. It comes later
where somebody installs the definition after the operator, and by a moment where the operator itself has just
done so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from practicus_mfa.errors import RetryableError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ForbiddenError
from practicus_mfa.kube.objects import POLICIES

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""Between two looks."""


def await_policies(cluster: Cluster, *, pause: Callable[[float], object] = time.sleep) -> None:
    """Return once clients of *cluster* find MfaPolicies there.

    Args:
        cluster: The API server.
        pause: Waits so many seconds; a signal that ends the process interrupts it.

    Raises:
        UsageError: What answers can't be asked as it is.
    """
    told = ""
    while why := _what_is_in_the_way(cluster):
        # Once for each cause.
        if why != told:
            log.warning("MfaPolicies can't be watched yet: %s", why)
        told = why
        pause(LOOK_SECONDS)


def _what_is_in_the_way(cluster: Cluster) -> str:
    try:
        if cluster.lists(POLICIES):
            return ""
    except ForbiddenError:
        # Whoever watches asks for the same, and then says what is missing.
        return ""
    except RetryableError as error:
        return str(error)
    return "the cluster does not know them. Install the custom resource definitions of this release."
