-- Transactions: until when an operation may be sent, who holds it back, what is shown of the loan, and how often it is asked for.

ALTER TABLE operation ADD COLUMN expires_at timestamptz;
ALTER TABLE operation ADD COLUMN held boolean NOT NULL DEFAULT false;

DROP INDEX operation_due;
CREATE INDEX operation_due ON operation (due_at, id) WHERE due_at IS NOT NULL AND NOT held;

COMMENT ON COLUMN operation.expires_at IS 'If nothing was sent by then, nothing is: it fails when its turn comes.';
COMMENT ON COLUMN operation.held IS 'Whether an operator holds it back: it keeps its place, and is not claimed.';

ALTER TABLE attempt ADD COLUMN currency text;
ALTER TABLE attempt ADD COLUMN pays_off boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN attempt.currency IS 'The loan''s currency, as it was read before the attempt; NULL: not read, or sent again as it was.';
COMMENT ON COLUMN attempt.pays_off IS 'Whether it repays all that was outstanding of the loan, as it was read before the attempt.';

ALTER TABLE audit DROP CONSTRAINT audit_action;
ALTER TABLE audit ADD CONSTRAINT audit_action
    CHECK (action IN ('cancel', 'retry', 'resolve', 'hold', 'release')) NOT VALID;

-- Not in the log: nothing is lost but the running minute's counts, and a lease need not wait for the disk.
CREATE UNLOGGED TABLE api_key_usage (
    key_name text     PRIMARY KEY,
    minute   bigint   NOT NULL,
    granted  integer  NOT NULL,
    unspent  integer  NOT NULL,
    block    integer  NOT NULL,
    CONSTRAINT api_key_usage_counts CHECK (granted >= 0 AND unspent >= 0 AND block >= 0)
) WITH (fillfactor = 50);

COMMENT ON TABLE api_key_usage IS 'The requests that gateways may let in with an API key: each takes small blocks of the minute''s budget.';
COMMENT ON COLUMN api_key_usage.minute IS 'The minute that is counted, since 1970.';
COMMENT ON COLUMN api_key_usage.granted IS 'What all gateways have taken of its budget.';
COMMENT ON COLUMN api_key_usage.unspent IS 'The blocks that no gateway has said to be used up yet: the more there are, the smaller the next.';
COMMENT ON COLUMN api_key_usage.block IS 'The last block taken.';
