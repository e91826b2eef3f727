-- What was there already before a command was sent is no evidence that the command put it there.

ALTER TABLE attempt ADD COLUMN foreseen boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN attempt.foreseen IS 'Whether Fineract looked, before the operation''s first attempt, as if it had been done already.';
