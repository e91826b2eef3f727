-- The header in which a verdict on keys was won: under another one it says nothing.

ALTER TABLE key_probe ADD COLUMN header text COLLATE "C" NOT NULL DEFAULT 'idempotency-key';

COMMENT ON COLUMN key_probe.header IS 'The header, in lower case, in which keys were sent when it was asked, or was first to be asked: what was sent under another is stored under no key.';
