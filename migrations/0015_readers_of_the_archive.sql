-- Ended operations leave the hot tables by age (docs/adr/0047-ended-operations-move-to-an-archive.md).

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

-- Which gateways know the archive. To an older one, an archived operation does not exist: it would answer 404, and let a
-- UTR be used again.
ALTER TABLE gateway_process ADD COLUMN reads_archive boolean DEFAULT false NOT NULL;
COMMENT ON COLUMN gateway_process.reads_archive IS 'Whether the gateway knows the archive. Nothing is archived while one runs that does not.';
