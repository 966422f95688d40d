"""Users from a CSV file (RFC 4180, UTF-8), every fault of the file noted with its line.

    username,email,name,password,password_hash,is_active,is_staff,is_superuser,totp_secret

Any column but the first may be missing. A record may span lines (a quoted field may have line breaks); its
faults are told at the line where it begins. No value of a secret column is ever quoted in a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from practicus_mfa.core.usernames import parse_email, parse_text, parse_username
from practicus_mfa.crypto.password_policy import PasswordRefusedError, check_password
from practicus_mfa.crypto.passwords import SUPPORTED, Scheme, scheme_of
from practicus_mfa.crypto.totp import MalformedSecretError, parse_secret
from practicus_mfa.login.candidates import Candidate, CandidateFactor, Findings, find_twins
from practicus_mfa.login.csv_file import COLUMNS, check_heading, decoded, records
from practicus_mfa.storage.users import NewUser

_TRUTH: Final = {
    "true": True,
    "t": True,
    "yes": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "0": False,
}


def read_csv(lines: Iterable[bytes]) -> Findings:
    """Read the lines of a CSV file, with their line ends."""
    findings = Findings()
    found = records(decoded(lines, findings), findings)
    if (first := next(found, None)) is None:
        if not findings.faults:
            findings.fault("line 1", "the file is empty", f"begin it with the names: {','.join(COLUMNS)}")
        return findings
    place, heading = first
    columns = [name.strip().lower() for name in heading]
    if check_heading(place, columns, findings):
        for place, fields in found:
            _read_record(place, columns, fields, findings)
    find_twins(findings)
    # Lines are decoded, and names compared, at other moments than records are read.
    findings.faults.sort(key=lambda fault: int(fault.path.removeprefix("line ")))
    return findings


def _read_record(place: str, columns: Sequence[str], fields: Sequence[str], findings: Findings) -> None:
    if len(fields) != len(columns):
        findings.fault(
            place,
            f"{len(fields)} field{'' if len(fields) == 1 else 's'} under a heading of {len(columns)}",
            "put a field that has a comma into quotes, and leave no field out",
        )
        return
    before = len(findings.faults)
    candidate = _Record(place, dict(zip(columns, fields, strict=True)), findings).candidate()
    if len(findings.faults) == before:
        findings.candidates.append(candidate)


class _Record:
    """One record, whose fields are read one by one; each notes its own fault and gives a stand-in."""

    def __init__(self, place: str, fields: Mapping[str, str], findings: Findings) -> None:
        self.place, self.fields, self.findings = place, fields, findings

    def candidate(self) -> Candidate:
        secret = self._secret()
        return Candidate(
            place=self.place,
            user=NewUser(
                username=self._username(),
                email=self._text("email", parse_email),
                name=self._text("name", partial(parse_text, "the name")),
                password_hash=self._password_hash(),
                is_active=self._truth("is_active", default=True),
                is_staff=self._truth("is_staff", default=False),
                is_superuser=self._truth("is_superuser", default=False),
            ),
            password=self._password(),
            factors=() if secret is None else (CandidateFactor(secret=secret),),
        )

    def _field(self, column: str) -> str:
        return self.fields.get(column, "")

    def _username(self) -> str:
        try:
            return parse_username(self._field("username"))
        except ValueError as error:
            self.findings.fault(self.place, str(error), "correct the name")
            return ""

    def _text(self, column: str, parse: Callable[[str], str]) -> str:
        try:
            return parse(self._field(column))
        except ValueError as error:
            self.findings.fault(self.place, str(error), f"correct the field {column}")
            return ""

    def _truth(self, column: str, *, default: bool) -> bool:
        text = self._field(column).strip().lower()
        if not text:
            return default
        if text not in _TRUTH:
            self.findings.fault(self.place, f"{column} is neither true nor false", "write true or false")
        return _TRUTH.get(text, default)

    def _password(self) -> str | None:
        password = self._field("password")
        if not password:
            return None
        if self._field("password_hash").strip():
            self.findings.fault(self.place, "both password and password_hash are given", "give one of them")
            return None
        try:
            return check_password(password)
        except PasswordRefusedError as error:
            self.findings.refused(self.place, error)
            return None

    def _password_hash(self) -> str:
        stored = self._field("password_hash").strip()
        scheme = scheme_of(stored)
        if not stored or scheme is Scheme.UNUSABLE:
            return ""
        if scheme not in SUPPORTED:
            # The scheme's name comes from a list: the field may hold a password by mistake.
            what = "of no known scheme" if scheme is Scheme.UNKNOWN else f"of the scheme {scheme}"
            self.findings.fault(
                self.place,
                f"password_hash is {what}, which can't be verified",
                f"known: {', '.join(sorted(SUPPORTED))}; or leave it empty and set a password afterwards",
            )
        return stored

    def _secret(self) -> bytes | None:
        text = self._field("totp_secret").strip()
        if not text:
            return None
        try:
            return parse_secret(text, name="totp_secret")
        except MalformedSecretError as error:
            self.findings.refused(self.place, error)
            return None
