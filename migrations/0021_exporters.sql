-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

-- So that no gateway drops a month of the archive that another would have exported.
ALTER TABLE gateway_process ADD COLUMN exports_months boolean DEFAULT false NOT NULL;
COMMENT ON COLUMN gateway_process.exports_months IS 'Whether the gateway exports months of the archive before it drops them.';
COMMENT ON TABLE gateway_process IS 'The gateways that run: each writes its row every 10 s and removes it at its shutdown. The row of one that exports months stays for an hour.';
