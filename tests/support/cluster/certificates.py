"""A certificate authority for one throw-away cluster, and what it signs.

Every certificate serves both ends of a connection, and lives for days: nothing outlives its cluster. The
subject is what Kubernetes reads from a client: the common name is the user, the organizations are the groups.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

VALID_DAYS: Final = 30
"""Far longer than a test run, and long enough for a cluster that a person lets stand."""

_SIGNS: Final = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
"""What an authority's key is for."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, as PEM files (the key's readable by its owner alone)."""

    file: Path
    key_file: Path


class Authority:
    """Signs certificates into a folder; its own is ``ca.crt`` and ``ca.key`` there."""

    def __init__(self, folder: Path) -> None:
        """Draw the authority's key and sign its own certificate."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject("practicus-mfa-test-ca", ())
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = _write(folder, "ca", certificate, self._key)

    def issue(
        self, file: str, name: str, groups: Collection[str] = (), hosts: Collection[str] = ()
    ) -> Certificate:
        """Sign a certificate with a new key.

        Args:
            file: The files' name in the folder, without ``.crt`` and ``.key``.
            name: The common name: to the API server, the user.
            groups: The organizations: to the API server, the user's groups.
            hosts: DNS names and IP addresses that a server with it answers to.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_subject(name, groups), self._name, key.public_key()).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        # Python 3.13 refuses a server whose certificate does not name the signing key (RFC 5280, 4.2.1.1).
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(authority, critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return _write(self._folder, file, builder.sign(self._key, hashes.SHA256()), key)


def _subject(name: str, groups: Collection[str]) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _write(
    folder: Path, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Certificate:
    path, key_path = folder / f"{file}.crt", folder / f"{file}.key"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_private(key_path, key)
    return Certificate(path, key_path)


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
