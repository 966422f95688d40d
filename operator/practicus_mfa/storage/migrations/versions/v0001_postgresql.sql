-- Counts are kept by triggers, as differences: a statement adds a row or two, so writers never wait for each
-- other on a counter. A token that is NULL or empty is a factor that is not enrolled: it is not counted.
--
-- The functions run as their owner (SECURITY DEFINER): a lesser role that writes factors needs no right on the
-- counts and can't falsify them. The fixed search_path keeps such a role from slipping a table or operator of
-- its own under a name, and without EXECUTE it can't hang the functions on a table of its own.

CREATE FUNCTION practicus_mfa.mfa_factors_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO practicus_mfa.mfa_factor_deltas (key_id, fault, rows)
        SELECT coalesce(key_id, ''), coalesce(fault, ''), count(*) FROM after WHERE token <> '' GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE FUNCTION practicus_mfa.mfa_factors_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO practicus_mfa.mfa_factor_deltas (key_id, fault, rows)
        SELECT coalesce(key_id, ''), coalesce(fault, ''), -count(*) FROM before WHERE token <> '' GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE FUNCTION practicus_mfa.mfa_factors_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO practicus_mfa.mfa_factor_deltas (key_id, fault, rows)
        SELECT coalesce(key_id, ''), coalesce(fault, ''), sum(n) FROM (
            SELECT key_id, fault, 1 AS n FROM after WHERE token <> ''
            UNION ALL
            SELECT key_id, fault, -1 FROM before WHERE token <> ''
        ) AS change GROUP BY 1, 2 HAVING sum(n) <> 0;
    RETURN NULL;
END $$;

-- TRUNCATE has waited for every writer of factors, so nothing is left to count. The differences are not counted
-- back one by one: a transaction with an older snapshot would not see all of them.
CREATE FUNCTION practicus_mfa.mfa_factors_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    TRUNCATE practicus_mfa.mfa_factor_deltas;
    RETURN NULL;
END $$;

CREATE FUNCTION practicus_mfa.mfa_audit_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER mfa_factors_inserted AFTER INSERT ON practicus_mfa.mfa_factors
    REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_factors_inserted();

CREATE TRIGGER mfa_factors_deleted AFTER DELETE ON practicus_mfa.mfa_factors
    REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_factors_deleted();

CREATE TRIGGER mfa_factors_updated AFTER UPDATE ON practicus_mfa.mfa_factors
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_factors_updated();

CREATE TRIGGER mfa_factors_truncated AFTER TRUNCATE ON practicus_mfa.mfa_factors
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_factors_truncated();

CREATE TRIGGER mfa_audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON practicus_mfa.mfa_audit
    FOR EACH STATEMENT EXECUTE FUNCTION practicus_mfa.mfa_audit_kept();

REVOKE EXECUTE ON FUNCTION
    practicus_mfa.mfa_factors_inserted(),
    practicus_mfa.mfa_factors_deleted(),
    practicus_mfa.mfa_factors_updated(),
    practicus_mfa.mfa_factors_truncated(),
    practicus_mfa.mfa_audit_kept()
FROM PUBLIC;
