-- Lines are taken away by pruning alone, which first writes down the place in the chain up to which it goes.
CREATE FUNCTION practicus_mfa.mfa_audit_pruned() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM practicus_mfa.mfa_audit_chain AS sealed
            JOIN practicus_mfa.mfa_audit_checkpoints AS pruned ON sealed.position <= pruned.position
        WHERE sealed.line_id = OLD.id
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION practicus_mfa.mfa_audit_chain_pruned() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.position <= (SELECT max(position) FROM practicus_mfa.mfa_audit_checkpoints) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;

DROP TRIGGER mfa_audit_kept ON practicus_mfa.mfa_audit;

CREATE TRIGGER mfa_audit_kept BEFORE UPDATE OR TRUNCATE ON practicus_mfa.mfa_audit
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_audit_kept();

CREATE TRIGGER mfa_audit_pruned BEFORE DELETE ON practicus_mfa.mfa_audit
    FOR EACH ROW EXECUTE FUNCTION practicus_mfa.mfa_audit_pruned();

CREATE TRIGGER mfa_audit_chain_kept BEFORE UPDATE OR TRUNCATE ON practicus_mfa.mfa_audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_audit_kept();

CREATE TRIGGER mfa_audit_chain_pruned BEFORE DELETE ON practicus_mfa.mfa_audit_chain
    FOR EACH ROW EXECUTE FUNCTION practicus_mfa.mfa_audit_chain_pruned();

CREATE TRIGGER mfa_audit_checkpoints_kept BEFORE UPDATE OR DELETE OR TRUNCATE
    ON practicus_mfa.mfa_audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_audit_kept();

REVOKE EXECUTE ON FUNCTION practicus_mfa.mfa_audit_pruned(), practicus_mfa.mfa_audit_chain_pruned() FROM PUBLIC;
