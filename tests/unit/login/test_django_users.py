"""What is made of rows of a Django site's tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from practicus_mfa.login.django_users import convert
from practicus_mfa.storage.django_source import DjangoDevice, DjangoSource, DjangoUser
from practicus_mfa.storage.factors import TotpParameters

HASH = "pbkdf2_sha256$870000$aaaaaaaaaaaaaaaaaaaaaa$" + "A" * 43 + "="

ANNA = DjangoUser(
    id=7,
    username="anna",
    email="anna@example.org",
    first_name="Anna",
    last_name="Öz",
    password=HASH,
    is_active=True,
    is_staff=True,
    is_superuser=False,
)
DEVICE = DjangoDevice(
    id=3, user_id=7, confirmed=True, key="48656c6c6f21deadbeef", step=30, t0=0, digits=6, drift=-2, last_t=59
)


def test_a_user_keeps_name_roles_hash_and_device() -> None:
    found = convert(DjangoSource((ANNA,), (DEVICE,)))
    (candidate,) = found.candidates
    assert (found.faults, found.left_out) == ([], [])
    assert (candidate.user.name, candidate.user.email) == ("Anna Öz", "anna@example.org")
    assert (candidate.user.is_staff, candidate.user.is_superuser, candidate.user.password_hash) == (
        True,
        False,
        HASH,
    )
    (factor,) = candidate.factors
    assert factor.secret == b"Hello!\xde\xad\xbe\xef"
    assert factor.totp == TotpParameters(digits=6, period=30, drift=-2, last_step=59)


def test_an_address_that_is_none_is_told() -> None:
    found = convert(DjangoSource((replace(ANNA, email="bad"),), ()))
    assert found.candidates == []
    (fault,) = found.faults
    assert fault.problem == "the e-mail address is not of the form NAME@DOMAIN"
    assert fault.remedy.startswith("change it there")


def test_several_devices_are_several_factors() -> None:
    found = convert(DjangoSource((ANNA,), (DEVICE, replace(DEVICE, id=4, digits=8))))
    assert [factor.totp.digits for factor in found.candidates[0].factors] == [6, 8]


def test_a_device_that_was_never_confirmed_is_left_out() -> None:
    found = convert(DjangoSource((ANNA,), (replace(DEVICE, confirmed=False, key="?"),)))
    assert found.faults == []
    assert found.candidates[0].factors == ()
    assert [(one.username, one.why) for one in found.left_out] == [
        ("anna", "TOTP device 3: it was never confirmed")
    ]


@pytest.mark.parametrize(
    ("password", "why"),
    [
        (
            "bcrypt_sha256$$2b$12$abc",
            "the password: its scheme bcrypt_sha256 can't be verified; set a new one",
        ),
        ("md5$salt$hash", "the password: its scheme is not known; set a new one"),
    ],
)
def test_a_hash_that_cannot_be_verified_is_left_out(password: str, why: str) -> None:
    found = convert(DjangoSource((replace(ANNA, password=password),), ()))
    assert found.candidates[0].user.password_hash == ""
    assert [one.why for one in found.left_out] == [why]


@pytest.mark.parametrize("password", ["", "!iKk3yXyQ2b"])
def test_a_user_without_a_password_has_none(password: str) -> None:
    found = convert(DjangoSource((replace(ANNA, password=password),), ()))
    assert (found.candidates[0].user.password_hash, found.left_out) == ("", [])


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (replace(DEVICE, key="48656g"), "its key is not hexadecimal"),
        (replace(DEVICE, key=""), "its key is not hexadecimal"),
        (replace(DEVICE, t0=5), "its steps do not count from 1970 (t0)"),
        (replace(DEVICE, digits=10), "its digits is 10, not 6 to 8"),
        (replace(DEVICE, step=0), "its step is 0, not 1 to 3600"),
        (replace(DEVICE, drift=99_999), "its drift is 99999, not -1000 to 1000"),
    ],
)
def test_a_device_in_use_that_cannot_be_taken_is_a_fault(device: DjangoDevice, why: str) -> None:
    found = convert(DjangoSource((ANNA,), (device,)))
    assert [fault.line for fault in found.faults] == [
        (
            f"otp_totp_totpdevice 3: the device of 'anna' can't be taken over: {why}; "
            "remove the device there; its user enrols again"
        )
    ]


def test_names_that_only_django_tells_apart_are_a_fault() -> None:
    found = convert(DjangoSource((ANNA, replace(ANNA, id=8, username="Anna")), ()))
    assert [fault.line for fault in found.faults] == [
        "auth_user 8: the user names 'Anna' and 'anna' (auth_user 7) are the same; keep one of them"
    ]


def test_a_name_that_cannot_be_used_is_a_fault() -> None:
    found = convert(DjangoSource((replace(ANNA, username="a,b"),), (DEVICE,)))
    assert found.candidates == []
    assert [fault.line for fault in found.faults] == [
        (
            "auth_user 7: the user name 'a,b' has a comma; "
            "change it there, or export the users as CSV and change it in the file"
        )
    ]
