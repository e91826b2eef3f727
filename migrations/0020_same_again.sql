-- What a caller sends again is known by what it says, not by how it is written.

-- A reference (UTR) of ASCII alone, as two of them are compared: lower case, without blanks and hyphens. NULL for any
-- other: how Unicode folds and composes depends on its version, and the gateway's need not be Postgres', so that the
-- gateway compares those itself. An index on the expression holds for the rows that are there, and for those that an
-- older gateway writes beside this one, which still looks by the index on the reference as it was given.
CREATE FUNCTION plain_reference(reference text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN reference COLLATE "C" ~ '^[\x01-\x7f]*$'
                THEN lower(translate(reference, E' \t\n\x0b\f\r-', '') COLLATE "C") END
$$;

CREATE INDEX payload_plain_reference ON payload (lane, plain_reference(reference)) WHERE reference IS NOT NULL;

COMMENT ON FUNCTION plain_reference IS 'A reference as it is compared, where it is ASCII; NULL: only the gateway can tell.';

-- Beside the digest of the bytes, by which an older gateway goes on comparing.
ALTER TABLE idempotency ADD COLUMN value_digest bytea;
ALTER TABLE idempotency ADD CONSTRAINT idempotency_value_digest CHECK (octet_length(value_digest) = 32) NOT VALID;
ALTER TABLE batch ADD COLUMN value_digest bytea;
ALTER TABLE batch ADD CONSTRAINT batch_value_digest CHECK (octet_length(value_digest) = 32) NOT VALID;

COMMENT ON COLUMN idempotency.digest IS 'SHA-256 of the request''s body: the same key with another body is refused.';
COMMENT ON COLUMN idempotency.value_digest IS 'SHA-256 of what the body says as JSON, however it is written: the same value is the same body. NULL: the bytes alone count.';
COMMENT ON COLUMN batch.value_digest IS 'As idempotency has it; of a table, the bytes alone count.';
