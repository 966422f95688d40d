"""One request to the API server and its answer.

The ``kubernetes`` library brings what is hard to do right: kubeconfig, plug-ins for credentials, tokens that
change, TLS, proxies. Its connections are used as they are; above them stand no models, no retries and no
logs, so that an object is sent and received exactly as it is and a Secret's body has no way into a log. A
pass that fails is tried again as a whole, by who runs passes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from practicus_mfa import __version__
from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.kube.faults import Call, UnauthenticatedError, of_answer, of_connection
from practicus_mfa.kube.objects import Tree

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import BaseHTTPResponse

CONNECT_SECONDS: Final = 5.0
"""For TCP and for TLS, each."""

READ_SECONDS: Final = 15.0
"""Longest silence while an answer is waited for."""

JSON: Final = "application/json"

_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach the API server, for a library with connections of its own.

    Attributes:
        server: Its address.
        ca_file: The certificates that it is judged by; empty for those of the system.
        certificate_file: The client's certificate, empty for none.
        key_file: Its key.
        authorization: The header of that name, empty for none. A secret.
        insecure: The server's certificate is not looked at.
    """

    server: str
    ca_file: str
    certificate_file: str
    key_file: str
    authorization: str = field(repr=False)
    insecure: bool


class Exchange:
    """Sends requests over the library's connections; safe to be used by several threads.

    Attributes:
        server: Host and port of the API server, for messages.
    """

    def __init__(self, api: ApiClient, *, read_seconds: float = READ_SECONDS) -> None:
        """Use the connections and the credentials of *api*; *read_seconds* is the longest silence."""
        self._read_seconds: Final = read_seconds
        self._configuration: Final = api.configuration
        self._pool: Final = api.rest_client.pool_manager
        parts = urlsplit(str(api.configuration.host))
        # Not the user information that an address may carry.
        self.server: Final = parts.netloc.rpartition("@")[2]

    def access(self) -> Access:
        """Return how to reach the server now: a token may be another one a while later.

        Raises:
            UnauthenticatedError: The credentials can't be read.
        """
        known = self._configuration
        return Access(
            server=str(known.host),
            ca_file=str(known.ssl_ca_cert or ""),
            certificate_file=str(known.cert_file or ""),
            key_file=str(known.key_file or ""),
            authorization=self._credentials().get("authorization", ""),
            insecure=not known.verify_ssl,
        )

    def tree(
        self,
        call: Call,
        *,
        params: Mapping[str, str] | None = None,
        body: Tree | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Tree:
        """Send one request and return the object that came back.

        Args:
            call: What is asked.
            params: Of the query.
            body: The object to send.
            content: The media type of *body*: which kind of patch it is.
            accept: The media type that is asked for.

        Raises:
            MfaError: There was no answer, or the server refused; see :mod:`practicus_mfa.kube.faults`.
        """
        code, headers, data = self.answer(call, params=params, body=body, content=content, accept=accept)
        if not 200 <= code < 300:
            raise of_answer(call, code, data, headers)
        return self.read(data)

    def answer(
        self,
        call: Call,
        *,
        params: Mapping[str, str] | None = None,
        body: Tree | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request and return the whole answer, refusals too: status, headers, body.

        Raises:
            UnreachableError: There was no answer, or not all of it.
        """
        response = self.open(call, params=params, body=body, content=content, accept=accept)
        try:
            data = response.data
        except (HTTPError, OSError) as error:
            raise of_connection(self.server, error) from error
        return response.status, response.headers, data

    def open(
        self,
        call: Call,
        *,
        params: Mapping[str, str] | None = None,
        body: Tree | None = None,
        content: str = JSON,
        accept: str = JSON,
        read_seconds: float | None = None,
    ) -> BaseHTTPResponse:
        """Send one request and return the answer with its body still to be read.

        Args:
            call: What is asked.
            params: Of the query.
            body: The object to send.
            content: The media type of *body*.
            accept: The media type that is asked for.
            read_seconds: The longest silence, where it is another than usual.

        Raises:
            UnreachableError: There was no answer.
        """
        headers = {"Accept": accept, "User-Agent": f"practicus-mfa/{__version__}", **self._credentials()}
        if body is not None:
            headers["Content-Type"] = content
        url = f"{self._configuration.host}{call.path}"
        try:
            return self._pool.request(
                _METHODS[call.verb],
                f"{url}?{urlencode(params)}" if params else url,
                body=json.dumps(body, separators=(",", ":")).encode() if body is not None else None,
                headers=headers,
                timeout=Timeout(connect=CONNECT_SECONDS, read=read_seconds or self._read_seconds),
                # Neither repeated nor led elsewhere: the credentials are for this server alone.
                retries=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise of_connection(self.server, error) from error

    def read(self, data: bytes) -> Tree:
        """Return the object in *data*.

        Raises:
            UnreachableError: It is none: something else than an API server answered.
        """
        try:
            tree = json.loads(data)
        except ValueError:
            tree = None
        if not isinstance(tree, dict):
            # The cause is not chained: it quotes what was read.
            raise UnreachableError(
                f"What answers at {self.server} is no API server.",
                remedy="Correct the server in the kubeconfig, and look for a proxy on the way.",
            )
        return tree

    def forget_idle(self) -> None:
        """Close the connections that nobody uses: where one froze, the others have too."""
        self._pool.clear()

    def _credentials(self) -> dict[str, str]:
        try:
            # The library reads a pod's token anew each minute, and runs a plug-in again once its token ends.
            settings: dict[str, dict[str, Any]] = self._configuration.auth_settings()
        except Exception as error:
            raise UnauthenticatedError(
                "The credentials for the API server could not be read.",
                remedy="See the cause with --debug; in a pod the service account's token must be mounted.",
            ) from error
        headers = {str(one["key"]): str(one["value"]).strip() for one in settings.values()}
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            # Sent as it is, it would stand in an exception's text.
            raise UsageError(
                "The token for the API server holds characters that no token has.",
                remedy="Correct the token in the kubeconfig, or the file that it names.",
            )
        return headers
