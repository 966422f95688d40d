-- Lines are taken away by pruning alone, which first writes down the place in the chain up to which it goes.

DROP TRIGGER mfa_audit_not_deleted;

CREATE TRIGGER mfa_audit_not_deleted BEFORE DELETE ON mfa_audit
WHEN NOT EXISTS (
    SELECT 1 FROM mfa_audit_chain AS sealed
        JOIN mfa_audit_checkpoints AS pruned ON sealed.position <= pruned.position
    WHERE sealed.line_id = OLD.id
)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER mfa_audit_chain_not_changed BEFORE UPDATE ON mfa_audit_chain
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER mfa_audit_chain_not_deleted BEFORE DELETE ON mfa_audit_chain
WHEN OLD.position > coalesce((SELECT max(position) FROM mfa_audit_checkpoints), 0)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER mfa_audit_checkpoints_not_changed BEFORE UPDATE ON mfa_audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER mfa_audit_checkpoints_not_deleted BEFORE DELETE ON mfa_audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- The sqlite3 shell does not follow foreign keys unless it is told to: these two tables too go with a user.

CREATE TRIGGER mfa_users_cascade_administration AFTER DELETE ON mfa_users
BEGIN
    DELETE FROM mfa_attempts WHERE user_id = OLD.id;
    DELETE FROM mfa_recovery_archive WHERE user_id = OLD.id;
END;
