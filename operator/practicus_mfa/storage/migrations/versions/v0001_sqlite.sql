-- Counts are kept by triggers. SQLite has one writer at a time and no triggers per statement: the sums are
-- kept in place. A token that is NULL or empty is a factor that is not enrolled: it is not counted.

CREATE TRIGGER mfa_factors_inserted AFTER INSERT ON mfa_factors WHEN NEW.token <> ''
BEGIN
    INSERT INTO mfa_factor_deltas (key_id, fault, rows)
        SELECT coalesce(NEW.key_id, ''), coalesce(NEW.fault, ''), 0
        WHERE NOT EXISTS (
            SELECT 1 FROM mfa_factor_deltas
            WHERE key_id = coalesce(NEW.key_id, '') AND fault = coalesce(NEW.fault, '')
        );
    UPDATE mfa_factor_deltas SET rows = rows + 1
        WHERE key_id = coalesce(NEW.key_id, '') AND fault = coalesce(NEW.fault, '');
END;

CREATE TRIGGER mfa_factors_deleted AFTER DELETE ON mfa_factors WHEN OLD.token <> ''
BEGIN
    UPDATE mfa_factor_deltas SET rows = rows - 1
        WHERE key_id = coalesce(OLD.key_id, '') AND fault = coalesce(OLD.fault, '');
END;

CREATE TRIGGER mfa_factors_updated AFTER UPDATE OF token, key_id, fault ON mfa_factors
WHEN (coalesce(OLD.token, '') = '') <> (coalesce(NEW.token, '') = '')
    OR OLD.key_id IS NOT NEW.key_id
    OR OLD.fault IS NOT NEW.fault
BEGIN
    UPDATE mfa_factor_deltas SET rows = rows - 1
        WHERE OLD.token <> '' AND key_id = coalesce(OLD.key_id, '') AND fault = coalesce(OLD.fault, '');
    INSERT INTO mfa_factor_deltas (key_id, fault, rows)
        SELECT coalesce(NEW.key_id, ''), coalesce(NEW.fault, ''), 0
        WHERE NEW.token <> '' AND NOT EXISTS (
            SELECT 1 FROM mfa_factor_deltas
            WHERE key_id = coalesce(NEW.key_id, '') AND fault = coalesce(NEW.fault, '')
        );
    UPDATE mfa_factor_deltas SET rows = rows + 1
        WHERE NEW.token <> '' AND key_id = coalesce(NEW.key_id, '') AND fault = coalesce(NEW.fault, '');
END;

CREATE TRIGGER mfa_audit_not_changed BEFORE UPDATE ON mfa_audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER mfa_audit_not_deleted BEFORE DELETE ON mfa_audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
