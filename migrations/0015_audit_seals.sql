-- The audit is sealed: nobody can change, remove or insert a row unnoticed (docs/adr/0048-the-audit-is-sealed-in-ranges.md).

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

ALTER TABLE audit ADD COLUMN credential_id uuid;
COMMENT ON COLUMN audit.credential_id IS 'The credential of the operator, since two of one name may have followed each other. NULL: a token of the settings, the command line, or an older gateway wrote the row.';

CREATE TABLE audit_seal (
    number bigint NOT NULL,
    previous text,
    at timestamptz NOT NULL,
    last_id bigint NOT NULL,
    row_count integer NOT NULL,
    hash text NOT NULL,
    CONSTRAINT audit_seal_pkey PRIMARY KEY (number),
    CONSTRAINT audit_seal_first CHECK (number > 0 AND (number = 1) = (previous IS NULL)),
    CONSTRAINT audit_seal_row_count CHECK (row_count > 0),
    CONSTRAINT audit_seal_hash CHECK (hash ~ '^[0-9a-f]{64}$')
);
COMMENT ON TABLE audit_seal IS 'Seals of the audit. Each covers the rows of a range of ids, and the seal before it. docs/OPERATING.md tells how to compute one by hand.';
COMMENT ON COLUMN audit_seal.number IS '1, 2, 3, … without gaps.';
COMMENT ON COLUMN audit_seal.previous IS 'The hash of the seal before. NULL: it is the first.';
COMMENT ON COLUMN audit_seal.last_id IS 'The range ends with this id of audit, and begins after the last id of the seal before.';
COMMENT ON COLUMN audit_seal.row_count IS 'How many rows the range had. Ids of transactions that were rolled back are missing in it.';
COMMENT ON COLUMN audit_seal.hash IS 'SHA-256 of the other columns and of the rows, in hexadecimal digits.';

CREATE FUNCTION audit_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are neither changed nor removed', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
COMMENT ON FUNCTION audit_is_final IS 'Refuses every change of the audit, and of its seals, except new rows.';
CREATE TRIGGER audit_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_final();
CREATE TRIGGER audit_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_final();
-- Also in a session with session_replication_role = replica.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_is_final;
ALTER TABLE audit_seal ENABLE ALWAYS TRIGGER audit_is_final;

-- Nobody keeps a right to change them, neither the owner nor a role that has got all rights on all tables, or gets them by
-- default on new ones. Of the list of migrations, only the owner may change anything.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT c.oid::regclass AS of_table, a.grantee = c.relowner AS is_owner,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role
          FROM pg_class c
         CROSS JOIN aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a
         WHERE c.oid IN ('audit'::regclass, 'audit_seal'::regclass, to_regclass('_sqlx_migrations'))
         GROUP BY 1, 2, 3
    LOOP
        IF granted.of_table <> COALESCE(to_regclass('_sqlx_migrations'), 0) THEN
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM %s', granted.of_table, granted.role);
        ELSIF NOT granted.is_owner THEN
            EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %s FROM %s', granted.of_table, granted.role);
        END IF;
    END LOOP;
END
$$;
