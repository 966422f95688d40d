"""Users of a Django site: names, roles, password hashes as they are, and django-otp's TOTP devices.

A device that is in use and can't be taken over is a fault, never left out: its user would be without MFA.
A password hash that can't be verified here is left out: its user needs a new one, nobody else gets in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from practicus_mfa.core.usernames import parse_email, parse_text, parse_username
from practicus_mfa.crypto.passwords import SUPPORTED, Scheme, scheme_of
from practicus_mfa.login.candidates import Candidate, CandidateFactor, Findings, LeftOut, find_twins
from practicus_mfa.storage.django_source import DjangoDevice, DjangoSource, DjangoUser
from practicus_mfa.storage.factors import TotpParameters
from practicus_mfa.storage.users import NewUser

DIGITS: Final = range(6, 9)
"""Digits that a code may have (RFC 4226 section 5.3)."""

PERIODS: Final = range(1, 3_601)
"""Seconds that a time step may last here."""

DRIFTS: Final = range(-1_000, 1_001)
"""Steps that a device's clock may be off."""


def convert(source: DjangoSource) -> Findings:
    """Return what can be made of a Django site's users."""
    findings = Findings()
    devices: defaultdict[int, list[DjangoDevice]] = defaultdict(list)
    for device in source.devices:
        devices[device.user_id].append(device)
    for user in source.users:
        candidate = _candidate(user, devices[user.id], findings)
        if candidate is not None:
            findings.candidates.append(candidate)
    find_twins(findings)
    return findings


def _candidate(user: DjangoUser, devices: Iterable[DjangoDevice], findings: Findings) -> Candidate | None:
    place = f"auth_user {user.id}"
    try:
        new = NewUser(
            username=parse_username(user.username),
            email=parse_email(user.email),
            name=parse_text("the name", f"{user.first_name} {user.last_name}"),
            password_hash=_password_hash(user, findings),
            is_active=user.is_active,
            is_staff=user.is_staff,
            is_superuser=user.is_superuser,
        )
    except ValueError as error:
        findings.fault(
            place, str(error), "change it there, or export the users as CSV and change it in the file"
        )
        return None
    factors = (_factor(device, new.username, findings) for device in devices)
    return Candidate(place=place, user=new, factors=tuple(factor for factor in factors if factor is not None))


def _password_hash(user: DjangoUser, findings: Findings) -> str:
    scheme = scheme_of(user.password)
    if scheme in SUPPORTED:
        return user.password
    if user.password and scheme is not Scheme.UNUSABLE:
        what = (
            "its scheme is not known"
            if scheme is Scheme.UNKNOWN
            else f"its scheme {scheme} can't be verified"
        )
        findings.left_out.append(LeftOut(user.username, f"the password: {what}; set a new one"))
    return ""


def _factor(device: DjangoDevice, username: str, findings: Findings) -> CandidateFactor | None:
    if not device.confirmed:
        findings.left_out.append(LeftOut(username, f"TOTP device {device.id}: it was never confirmed"))
        return None
    why, secret = _unusable(device), _secret(device.key)
    if why is None and secret is not None:
        totp = TotpParameters(
            digits=device.digits, period=device.step, drift=device.drift, last_step=max(device.last_t, -1)
        )
        return CandidateFactor(secret=secret, totp=totp)
    findings.fault(
        f"otp_totp_totpdevice {device.id}",
        f"the device of {username!r} can't be taken over: {why or 'its key is not hexadecimal'}",
        "remove the device there; its user enrols again",
    )
    return None


def _unusable(device: DjangoDevice) -> str | None:
    if device.t0:
        return "its steps do not count from 1970 (t0)"
    for name, value, possible in (
        ("digits", device.digits, DIGITS),
        ("step", device.step, PERIODS),
        ("drift", device.drift, DRIFTS),
    ):
        if value not in possible:
            return f"its {name} is {value}, not {possible.start} to {possible.stop - 1}"
    return None


def _secret(key: str) -> bytes | None:
    try:
        return bytes.fromhex(key) or None
    except ValueError:
        return None
