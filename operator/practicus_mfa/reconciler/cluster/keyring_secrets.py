"""The keyring as a Secret, and its archive as another; both outlive the policy, for backups may need them.

A write carries the version (``resourceVersion`` and ``uid``) that was read: a process that was paused, and
whose place another has taken since, can't put an old keyring over a newer one. Absent is only what the API
server says is not there; a Secret without a keyring in it is damaged.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from practicus_mfa.core.keyring import Keyring
from practicus_mfa.core.manifests import secret_entry
from practicus_mfa.crypto.keyring_archive import archived, leaving
from practicus_mfa.crypto.keyring_file import dump, load
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.errors import SupersededError
from practicus_mfa.kube.children import (
    KEYRING_ENTRY,
    KEYRING_GENERATION,
    archive_name,
    keyring_name,
    labels_of,
)
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import ConflictError
from practicus_mfa.kube.objects import SECRETS, Tree


@dataclass(slots=True)
class KeyringSecrets:
    """Keeps the keyring of a policy.

    Attributes:
        cluster: Where.
        namespace: The policy's.
        policy: Its name.
    """

    cluster: Cluster
    namespace: str
    policy: str
    # The Secret as it was read or written last, which the next write must find unchanged.
    _found: Tree | None = field(default=None, init=False, repr=False)
    _looked: bool = field(default=False, init=False)

    def load(self) -> tuple[Keyring, HeldKeys] | None:
        """Return the keyring and its keys, ``None`` where the API server says that there is no such Secret.

        Raises:
            UsageError: It is damaged, or may not be read.
            UnreachableError: The API server can't be reached.
        """
        self._looked = False
        self._found = self.cluster.get(SECRETS, self.namespace, keyring_name(self.policy))
        self._looked = True
        return self._keyring()

    def save(self, keyring: Keyring, held: HeldKeys) -> None:
        """Replace the keyring that was loaded; keys that leave it go to the archive first.

        Raises:
            SupersededError: It is not the one that was loaded; nothing was overwritten.
            UsageError: A Secret is damaged, or may not be written.
            UnreachableError: The API server can't be reached.
        """
        text = dump(keyring, held)
        if not self._looked:
            self.load()
        present = self._keyring()
        gone = leaving(present, keyring)
        if present and gone:
            name = archive_name(self.policy)
            before = self.cluster.get(SECRETS, self.namespace, name)
            source = self._called(name)
            then = secret_entry(before, KEYRING_ENTRY, source=source) if before is not None else None
            self._write(name, archived(then, gone, present[1], source=source), before)
        name = keyring_name(self.policy)
        # Whatever becomes of the write, what was read is no longer what is there.
        before, self._found, self._looked = self._found, None, False
        self._found = self._write(name, text, before, generation=keyring.generation)
        self._looked = True

    def _keyring(self) -> tuple[Keyring, HeldKeys] | None:
        if self._found is None:
            return None
        source = self._called(keyring_name(self.policy))
        return load(secret_entry(self._found, KEYRING_ENTRY, source=source), source=source)

    def _called(self, name: str) -> str:
        return f"Secret {self.namespace}/{name}"

    def _write(self, name: str, text: str, before: Tree | None, *, generation: int | None = None) -> Tree:
        metadata: Tree = {"name": name, "namespace": self.namespace, "labels": labels_of(self.policy)}
        if generation is not None:
            metadata["annotations"] = {KEYRING_GENERATION: str(generation)}
        data = {KEYRING_ENTRY: b64encode(text.encode()).decode("ascii")}
        body: Tree = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "data": data,
        }
        try:
            if before is None:
                return self.cluster.create(SECRETS, self.namespace, body)
            # The version alone would let an apply bring back a Secret that was deleted meanwhile (seen).
            metadata |= {part: before["metadata"][part] for part in ("resourceVersion", "uid")}
            return self.cluster.apply(SECRETS, self.namespace, body)
        except ConflictError as error:
            raise SupersededError(
                f"{self._called(name)} is not what it was when this pass began.",
                remedy="Look at it again: the next pass goes by what is there now.",
            ) from error
