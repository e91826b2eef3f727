-- What was erased is not what was sent, so it must not be sent again.

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

ALTER TABLE payload ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN payload.erased_at IS 'When people''s data in it was erased. It is never sent again.';
