-- A repair acts later, for the operator who started it: also with the operator's credential, for the audit.

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

ALTER TABLE repair ADD COLUMN credential_id uuid;
COMMENT ON COLUMN repair.credential_id IS 'As audit.credential_id.';
