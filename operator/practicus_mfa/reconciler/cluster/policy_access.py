"""One MfaPolicy as a person at the command line works on it: found by name, read with that person's rights.

Everything is read when it is asked for, and nothing is ever written to the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from practicus_mfa.core.manifests import ACTIVE_ENTRY, secret_entry
from practicus_mfa.core.observed import Claim
from practicus_mfa.errors import UsageError
from practicus_mfa.faults import nearest, shown
from practicus_mfa.kube.children import keyring_name
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.objects import NAMESPACES, POLICIES, SECRETS, Tree, name_of
from practicus_mfa.reconciler.cluster.request import called, database_url_from, request_from, spec_of
from practicus_mfa.reconciler.ports import Request

if TYPE_CHECKING:
    # Imported when asked for: they bring the cryptographic library.
    from practicus_mfa.core.keyring import KeyId, Keyring
    from practicus_mfa.crypto.keys import HeldKeys

_ALL: Final = "kubectl get mfapolicies -A lists them"


# Without slots: the name that was found is kept.
@dataclass(frozen=True, kw_only=True)
class PolicyAccess:
    """The policy that is meant.

    Attributes:
        cluster: Where.
        namespace: The policy's.
        wanted: The name that was given; ``None`` for the only policy of the namespace.
    """

    cluster: Cluster = field(repr=False)
    namespace: str
    wanted: str | None = None

    @cached_property
    def name(self) -> str:
        """The policy's name.

        Raises:
            UsageError: None was given, and there is no policy or more than one; or they may not be listed.
            UnreachableError: The API server can't be reached.
        """
        if self.wanted is not None:
            return self.wanted
        match self._names():
            case [only]:
                return only
            case []:
                raise UsageError(
                    f"there is no MfaPolicy in the namespace {self.namespace}",
                    remedy=f"name another namespace with -n; {_ALL}",
                )
            case several:
                raise UsageError(
                    f"the namespace {self.namespace} has {len(several)} MfaPolicies: {', '.join(several)}",
                    remedy="name one of them with --policy",
                )

    @property
    def release(self) -> str:
        """The Helm release that the policy is of, by its label; where it has none, the policy's name.

        Raises:
            UsageError: There is no such policy.
            UnreachableError: The API server can't be reached.
        """
        labels = self.read()["metadata"].get("labels") or {}
        return str(labels.get("app.kubernetes.io/instance") or self.name)

    def read(self) -> Tree:
        """Return the policy as it stands.

        Raises:
            UsageError: There is none, or it may not be read.
            UnreachableError: The API server can't be reached.
        """
        found = self.cluster.get(POLICIES, self.namespace, self.name)
        if found is None:
            raise self._missing()
        return found

    def request(self) -> tuple[Tree, Request]:
        """Return the policy, and what it asks for.

        Raises:
            UsageError: Something is not valid, or may not be read.
            UnreachableError: The API server can't be reached.
        """
        policy = self.read()
        spec = spec_of(policy)
        secret = self.cluster.get(SECRETS, self.namespace, spec.secret_ref.name)
        return policy, request_from(policy, spec, secret, self._identity())

    def asked_key(self, policy: Tree) -> KeyId | None:
        """Return the key that is asked for as the active one, of a policy that does not name it by its ID.

        Such a policy stays as it is when the keys change, so its generation tells nothing of them.

        Returns:
            The key in the Secret; ``None`` where the policy names it, or the Secret holds none.

        Raises:
            UsageError: The Secret may not be read, or is none.
            UnreachableError: The API server can't be reached.
        """
        from practicus_mfa.crypto.keys import id_of

        ref = spec_of(policy).secret_ref
        secret = self.cluster.get(SECRETS, self.namespace, ref.name) if ref.active is None else None
        if secret is None:
            return None
        return id_of(secret_entry(secret, ACTIVE_ENTRY, source=called("Secret", secret)))

    def database_url(self) -> str:
        """Return the database's URL. A secret.

        Raises:
            UsageError: There is none, or its Secret may not be read.
            UnreachableError: The API server can't be reached.
        """
        policy = self.read()
        ref = spec_of(policy).database_ref
        secret = self.cluster.get(SECRETS, self.namespace, ref.name) if ref else None
        return database_url_from(secret, ref, namespace=self.namespace)

    def keyring(self) -> tuple[Keyring, HeldKeys]:
        """Return the keyring and its keys.

        Raises:
            UsageError: There is none, it is damaged, or it may not be read.
            UnreachableError: The API server can't be reached.
        """
        from practicus_mfa.reconciler.cluster.keyring_secrets import KeyringSecrets

        loaded = KeyringSecrets(self.cluster, self.namespace, self.name).load()
        if loaded is None:
            # Without a keyring because there is no such policy: say that.
            self.read()
            raise UsageError(
                f"there is no keyring yet: Secret {self.namespace}/{keyring_name(self.name)} does not exist",
                remedy="the operator makes it in its first pass; practicus-mfa status tells how that stands",
            )
        return loaded

    def _identity(self) -> Claim:
        """Return the policy as a claim on its database names it; nobody acts for it here."""
        found = self.cluster.get(NAMESPACES, None, self.namespace)
        if found is None:
            raise UsageError(f"there is no namespace {self.namespace}", remedy="name another with -n")
        uid = str(found["metadata"]["uid"])
        return Claim(cluster=uid, namespace=self.namespace, policy=self.name, owner="", epoch=0)

    def _names(self) -> list[str]:
        return sorted(name_of(policy) for policy in self.cluster.list(POLICIES, self.namespace))

    def _missing(self) -> UsageError:
        try:
            closest = nearest(self.name, self._names())
        except UsageError:
            # Who may read one policy need not be allowed to list them.
            closest = None
        return UsageError(
            f"there is no MfaPolicy {shown(self.name)} in the namespace {self.namespace}",
            remedy=f"did you mean {closest}?" if closest else f"correct --policy or -n; {_ALL}",
        )
