-- The sqlite3 shell does not follow foreign keys unless it is told to. What people are told to do by hand,
-- deleting a factor or a user, leaves nothing behind there either.

CREATE TRIGGER mfa_factors_cascade AFTER DELETE ON mfa_factors
BEGIN
    DELETE FROM mfa_recovery_codes WHERE factor_id = OLD.id;
END;

CREATE TRIGGER mfa_users_cascade AFTER DELETE ON mfa_users
BEGIN
    DELETE FROM mfa_factors WHERE user_id = OLD.id;
    DELETE FROM mfa_memberships WHERE user_id = OLD.id;
    DELETE FROM mfa_sessions WHERE user_id = OLD.id;
    DELETE FROM mfa_half_logins WHERE user_id = OLD.id;
    DELETE FROM mfa_pending_factors WHERE user_id = OLD.id;
    DELETE FROM mfa_setup_links WHERE user_id = OLD.id;
    DELETE FROM mfa_devices WHERE user_id = OLD.id;
END;
