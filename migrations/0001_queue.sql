-- The queue: an operation's row is the job as well as the record.
-- No foreign keys: each insert would lock the hot row it points to once more, and one module writes them all.

CREATE TABLE lane (
    key           text COLLATE "C" PRIMARY KEY,
    next_position bigint      NOT NULL DEFAULT 1,
    members       integer     NOT NULL DEFAULT 0,
    writers       integer     NOT NULL DEFAULT 0,
    resource_id   bigint,
    failed_by     uuid,
    failed_at     timestamptz,
    failed_position bigint    NOT NULL DEFAULT 0,
    failed_below  bigint      NOT NULL DEFAULT 0,
    failure_read  boolean     NOT NULL DEFAULT false,
    falling       boolean     NOT NULL DEFAULT false,
    CONSTRAINT lane_counts CHECK (members >= writers AND writers >= 0),
    CONSTRAINT lane_mark CHECK ((failed_by IS NULL) = (failed_at IS NULL)),
    CONSTRAINT lane_falling CHECK (NOT falling OR failed_by IS NOT NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX lane_falling ON lane (key) WHERE falling;

COMMENT ON TABLE lane IS 'What must happen in order: client:<externalId> or loan:<externalId>, case-folded. Locked in the order of the keys, everywhere, and before any operation.';
COMMENT ON COLUMN lane.next_position IS 'Position of the next operation: taken under the row''s lock, so it is the order of acceptance.';
COMMENT ON COLUMN lane.members IS 'Operations in the lane that have not ended.';
COMMENT ON COLUMN lane.writers IS 'Those of them that write the lane.';
COMMENT ON COLUMN lane.resource_id IS 'Fineract''s numeric id of the client or loan, as it answered our own create; NULL when it did not, or the thing was deleted.';
COMMENT ON COLUMN lane.failed_by IS 'The last operation whose failure fells those behind it.';
COMMENT ON COLUMN lane.failed_position IS 'Where it stood: those before it go on.';
COMMENT ON COLUMN lane.failed_below IS 'Operations behind it at a smaller position than this fall with it.';
COMMENT ON COLUMN lane.failure_read IS 'Whether a caller has read that failure: later operations know of it.';
COMMENT ON COLUMN lane.falling IS 'Operations below failed_below are still to be ended; nothing in the lane is granted until they are.';

CREATE TABLE operation (
    id            uuid PRIMARY KEY,
    type          text        NOT NULL,
    state         text        NOT NULL,
    lane          text COLLATE "C" NOT NULL,
    position      bigint      NOT NULL,
    read_lane     text COLLATE "C",
    read_position bigint,
    ungranted     smallint    NOT NULL,
    due_at        timestamptz,
    attempt       integer     NOT NULL DEFAULT 0,
    key_number    integer     NOT NULL DEFAULT 1,
    lost          smallint    NOT NULL DEFAULT 0,
    lender        text,
    why           text,
    why_since     timestamptz,
    accepted_at   timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    retry_of      uuid UNIQUE,
    CONSTRAINT operation_state CHECK (state IN ('waiting', 'ready', 'running', 'parked', 'succeeded', 'failed')),
    CONSTRAINT operation_waiting CHECK ((state = 'waiting') = (ungranted > 0) OR state IN ('succeeded', 'failed')),
    CONSTRAINT operation_due CHECK ((due_at IS NOT NULL) = (state IN ('ready', 'running'))),
    CONSTRAINT operation_end CHECK ((ended_at IS NOT NULL) = (state IN ('succeeded', 'failed'))),
    CONSTRAINT operation_read_lane CHECK ((read_lane IS NULL) = (read_position IS NULL)),
    CONSTRAINT operation_ungranted CHECK (ungranted BETWEEN 0 AND 2),
    CONSTRAINT operation_why CHECK ((why IS NULL) = (why_since IS NULL) AND (state <> 'parked' OR why IS NOT NULL)),
    CONSTRAINT operation_counts CHECK (attempt >= 0 AND key_number >= 1 AND lost >= 0)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX operation_due ON operation (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX operation_parked ON operation (why_since) WHERE state = 'parked';

COMMENT ON TABLE operation IS 'One accepted request. Narrow and hot: payload, attempts and results live beside it.';
COMMENT ON COLUMN operation.ungranted IS 'In how many of its lanes it is not first yet: kept by those that end before it, never searched for.';
COMMENT ON COLUMN operation.due_at IS 'When a worker may take it: ready, not before; running, when its lease has run out.';
COMMENT ON COLUMN operation.attempt IS 'How often it was claimed, and the fence: only the holder of this number settles.';
COMMENT ON COLUMN operation.key_number IS 'k of the Idempotency-Key <id>-<k>: raised by the outcome "new key" only.';
COMMENT ON COLUMN operation.lost IS 'Attempts that ended with their process.';
COMMENT ON COLUMN operation.lender IS 'The lender whose product Fineract locks while it runs; LOAN_CREATE only.';
COMMENT ON COLUMN operation.why IS 'Why it is parked, blocked or tried again: a stable code.';
COMMENT ON COLUMN operation.retry_of IS 'The ended operation that this one runs again.';

CREATE FUNCTION operation_end_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operation % has ended', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER operation_end_is_final BEFORE UPDATE ON operation
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION operation_end_is_final();

CREATE TABLE place (
    lane         text COLLATE "C" NOT NULL,
    position     bigint  NOT NULL,
    operation_id uuid    NOT NULL,
    writes       boolean NOT NULL,
    granted      boolean NOT NULL,
    PRIMARY KEY (lane, position)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX place_writer ON place (lane, position) WHERE writes;
CREATE INDEX place_ungranted_reader ON place (lane, position) WHERE NOT writes AND NOT granted;

COMMENT ON TABLE place IS 'Where an operation that has not ended stands in a lane. A writer is granted when nothing stands before it, a reader when no writer does.';

CREATE TABLE payload (
    operation_id uuid PRIMARY KEY,
    caller       text NOT NULL,
    data         json NOT NULL,
    reference    text,
    lane         text COLLATE "C" NOT NULL
);

CREATE INDEX payload_reference ON payload (lane, reference) WHERE reference IS NOT NULL;

COMMENT ON TABLE payload IS 'What the caller sent, word for word: json, not jsonb, which would reorder keys and change numbers.';
COMMENT ON COLUMN payload.reference IS 'A reference (UTR) that may be used once on its lane.';

CREATE TABLE idempotency (
    caller       text  NOT NULL,
    key          text  NOT NULL,
    digest       bytea NOT NULL,
    operation_id uuid  NOT NULL,
    PRIMARY KEY (caller, key),
    CONSTRAINT idempotency_digest CHECK (octet_length(digest) = 32)
);

COMMENT ON TABLE idempotency IS 'A caller''s own Idempotency-Key: written with its operation, kept as long as it.';
COMMENT ON COLUMN idempotency.digest IS 'SHA-256 of the request''s body: the same key with another body is refused.';

CREATE TABLE attempt (
    operation_id uuid        NOT NULL,
    number       integer     NOT NULL,
    key_number   integer     NOT NULL,
    method       text        NOT NULL,
    path         text        NOT NULL,
    body         text,
    sent_at      timestamptz NOT NULL DEFAULT now(),
    answered_at  timestamptz,
    status       smallint,
    cached       boolean,
    answer       text,
    error        text,
    PRIMARY KEY (operation_id, number),
    CONSTRAINT attempt_method CHECK (method IN ('POST', 'PUT', 'DELETE')),
    CONSTRAINT attempt_answer CHECK ((status IS NULL) = (cached IS NULL) AND (status IS NULL) = (answer IS NULL)),
    CONSTRAINT attempt_answered CHECK ((answered_at IS NULL) = (status IS NULL AND error IS NULL))
);

COMMENT ON TABLE attempt IS 'A command as it was committed before it was sent, and what came back: both word for word, unfenced, as evidence.';
COMMENT ON COLUMN attempt.answered_at IS 'NULL: still open, or its process died.';
COMMENT ON COLUMN attempt.error IS 'Why no answer came, as a code: timed_out, closed, not_connected.';

CREATE TABLE result (
    operation_id  uuid PRIMARY KEY,
    success       text,
    failure       text,
    code          text,
    message       text,
    marked        boolean NOT NULL DEFAULT false,
    CONSTRAINT result_success CHECK (success IS NULL OR (failure IS NULL AND message IS NULL))
);

COMMENT ON TABLE result IS 'What track says of an ended operation. Bodies are Fineract''s own, untouched.';
COMMENT ON COLUMN result.code IS 'Why it failed, as a stable code for operators.';
COMMENT ON COLUMN result.marked IS 'Whether a lane of it bears the mark of this failure, or of the one it fell with: reading it is noted there.';
