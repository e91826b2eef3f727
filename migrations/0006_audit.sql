-- The audit: reasons, addresses, the operation before and after, and repairs.
ALTER TABLE audit
    ADD COLUMN address text,
    ADD COLUMN reason text,
    ADD COLUMN before json,
    ADD COLUMN after json,
    ADD COLUMN repair_id uuid,
    DROP CONSTRAINT audit_action,
    ADD CONSTRAINT audit_action CHECK (
        action IN ('cancel', 'retry', 'resolve', 'hold', 'release', 'confirm_number', 'confirm_books', 'end_hold',
                   'start_repair', 'stop_repair', 'reveal')
    );
COMMENT ON COLUMN audit.address IS 'The address from which the request came; behind a proxy, the address of the proxy. NULL: not known, or an older gateway wrote the row.';
COMMENT ON COLUMN audit.reason IS 'Why, in the words of the operator. No personal data. NULL: an older gateway wrote the row.';
COMMENT ON COLUMN audit.before IS 'The operation before the action: state, on_hold, reason_code, resolution. NULL: the action concerned more than one, or an older gateway wrote the row.';
COMMENT ON COLUMN audit.after IS 'The operation after the action, as before.';
COMMENT ON COLUMN audit.repair_id IS 'The repair that acted for the operator. NULL: the operator acted on this one operation.';
-- A repair acts on each operation once, also if it continues after its gateway died.
CREATE UNIQUE INDEX audit_repair ON audit (repair_id, operation_id)
    WHERE repair_id IS NOT NULL AND operation_id IS NOT NULL;
-- The actions of a repair, also those on the whole: `GET /fineract/audit?repair=…`.
CREATE INDEX IF NOT EXISTS audit_of_repair ON audit (repair_id, id)
    WHERE repair_id IS NOT NULL;
