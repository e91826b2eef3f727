-- Reads the whole audit, while it can be written.
ALTER TABLE audit VALIDATE CONSTRAINT audit_action;
