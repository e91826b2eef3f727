-- As 0016_erased_payloads.sql, for rows of batches that were refused.

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

ALTER TABLE batch_row ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN batch_row.erased_at IS 'As payload.erased_at, of a refused row.';
