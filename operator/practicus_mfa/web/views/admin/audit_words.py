"""The audit in words: what was done and how it ended, in the visitor's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from practicus_mfa.web.views.admin.audit_details import detail_text
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from practicus_mfa.core.audit_chain import AuditLine


def action_texts(visit: Visit) -> Mapping[str, str]:
    """Return what each action of the audit is called."""
    say = visit.say
    return {
        "login": say("Log-in"),
        "logout": say("Log-out"),
        "logout.everywhere": say("Log-out of all sessions"),
        "session.end": say("Session ended"),
        "session.end-all": say("All sessions ended"),
        "devices.forget": say("Known browsers forgotten"),
        "mfa.enrol": say("MFA set up"),
        "mfa.remove": say("MFA removed"),
        "mfa.recover": say("MFA cleared at the command line"),
        "mfa.restore": say("MFA put back at the command line"),
        "mfa.migrate-key": say("MFA migrated to the active key"),
        "mfa.open": say("MFA that does not open"),
        "recovery-code.use": say("Recovery code used"),
        "recovery-codes.renew": say("Recovery codes renewed"),
        "user.create": say("User added"),
        "user.edit": say("User changed"),
        "user.set-roles": say("Role changed"),
        "user.set-password": say("Password set"),
        "user.setup-link": say("Set-up link made"),
        "user.enable": say("User enabled"),
        "user.disable": say("User disabled"),
        "user.unlock": say("User unlocked"),
        "user.import": say("Users imported"),
        "users.export": say("List of users downloaded"),
        "group.create": say("Group added"),
        "group.delete": say("Group deleted"),
        "group.add": say("Users added to a group"),
        "group.remove": say("Users removed from a group"),
        "policy.ask": say("Other MFA settings asked for"),
        "policy.change": say("MFA settings changed"),
        "keys.forget": say("Lost key given up"),
        "rows.unreadable": say("Rows that no key opens"),
        "backup.restore": say("Backup restored"),
        "audit.export": say("Audit downloaded"),
        "audit.prune": say("Old lines of the audit deleted"),
    }


def result_texts(visit: Visit) -> Mapping[str, str]:
    """Return what each result is called."""
    say = visit.say
    return {
        "done": say("done"),
        "refused": say("refused"),
        "wrong password": say("wrong password"),
        "wrong code": say("wrong code"),
        "used code": say("code that was used before"),
        "clock skew": say("code of another time"),
        "wrong recovery code": say("wrong recovery code"),
        "unreadable factor": say("MFA that does not open"),
        "unknown names": say("unknown names"),
        "migrated": say("migrated"),
        "already active": say("under the active key already"),
        "changed meanwhile": say("changed meanwhile"),
        "undecryptable": say("undecryptable"),
        "no MFA": say("no MFA"),
        "left as they are": say("left as they are"),
    }


def line_texts(visit: Visit, lines: Iterable[AuditLine]) -> list[Mapping[str, Any]]:
    """Return lines as pages show them; what has no word of its own stands as it is stored."""
    actions, results = action_texts(visit), result_texts(visit)
    return [_line(visit, line, actions, results) for line in lines]


def _line(
    visit: Visit, line: AuditLine, actions: Mapping[str, str], results: Mapping[str, str]
) -> Mapping[str, Any]:
    # A lesser role of the database may append any document; a page that fails would hide the others' lines.
    more = dict(line.detail) if isinstance(line.detail, Mapping) else {"detail": line.detail}
    return {
        "id": line.id,
        "at": visit.language.moment(line.at, seconds=True),
        "machine_at": line.at.isoformat(),
        "actor": line.actor,
        "action": actions.get(line.action, line.action),
        "subject": line.subject,
        "result": results.get(line.result, line.result),
        "address": more.pop("address", ""),
        "more": detail_text(visit, more),
    }
