-- Batches of operations (bulk). A row points to the operation that runs it; where it stands is read from there.

CREATE TABLE batch (
    id            uuid PRIMARY KEY,
    client        text        NOT NULL,
    reference_id  text        NOT NULL,
    digest        bytea       NOT NULL,
    file_name     text,
    global_config json,
    total         integer     NOT NULL,
    accepted_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT batch_reference UNIQUE (client, reference_id),
    CONSTRAINT batch_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT batch_total CHECK (total > 0)
);

COMMENT ON TABLE batch IS 'One upload of operations, accepted as a whole.';
COMMENT ON COLUMN batch.client IS 'The name of the bulk client, who alone sees it.';
COMMENT ON COLUMN batch.reference_id IS 'The client''s own name for it.';
COMMENT ON COLUMN batch.digest IS 'SHA-256 of the body: the same reference with another body is refused.';
COMMENT ON COLUMN batch.global_config IS 'Kept and given back, never looked at.';

CREATE TABLE batch_row (
    batch_id     uuid    NOT NULL,
    number       integer NOT NULL,
    operation_id uuid,
    consent_id   text,
    type         text,
    lane         text COLLATE "C",
    data         json,
    code         text,
    message      text,
    PRIMARY KEY (batch_id, number),
    CONSTRAINT batch_row_number CHECK (number >= 1),
    CONSTRAINT batch_row_refused CHECK ((operation_id IS NULL) = (code IS NOT NULL)
                                        AND (code IS NULL) = (message IS NULL)
                                        AND (code IS NOT NULL OR (type IS NULL AND lane IS NULL AND data IS NULL)))
);

CREATE UNIQUE INDEX batch_row_operation ON batch_row (operation_id) WHERE operation_id IS NOT NULL;

COMMENT ON TABLE batch_row IS 'A row of a batch. A retry makes it point to another operation.';
COMMENT ON COLUMN batch_row.number IS 'Its place in the file, from 1.';
COMMENT ON COLUMN batch_row.operation_id IS 'The operation that runs it; NULL: refused at the door, where only the good rows were asked for.';
COMMENT ON COLUMN batch_row.consent_id IS 'The caller''s own name for the row.';
COMMENT ON COLUMN batch_row.type IS 'Of a refused row: its type, where it could be told; so is its lane.';
COMMENT ON COLUMN batch_row.data IS 'Of a row that was refused only because it rests on another: its payload.';
COMMENT ON COLUMN batch_row.code IS 'Of a refused row: why, as result has it of an operation.';

CREATE VIEW batch_record AS
SELECT r.batch_id,
       r.number,
       r.operation_id,
       COALESCE(r.consent_id, r.operation_id::text) AS consent_id,
       COALESCE(o.type, r.type) AS type,
       COALESCE(o.lane, r.lane) AS lane,
       CASE
           WHEN o.id IS NULL OR o.state = 'failed' THEN 'FAILED'
           WHEN o.state = 'succeeded' THEN 'COMPLETED'
           -- A claim alone sends nothing.
           WHEN o.state = 'parked'
             OR (o.attempt > 0 AND EXISTS (SELECT FROM attempt a WHERE a.operation_id = o.id)) THEN 'IN_PROGRESS'
           ELSE 'READY'
       END AS status,
       CASE WHEN o.id IS NULL THEN r.code WHEN o.state = 'failed' THEN f.code END AS code,
       CASE WHEN o.id IS NULL THEN r.message WHEN o.state = 'failed' THEN f.message END AS message,
       GREATEST(o.accepted_at, o.ended_at, CASE WHEN o.ended_at IS NULL AND o.attempt > 0 THEN
           (SELECT max(a.sent_at) FROM attempt a WHERE a.operation_id = o.id) END) AS changed_at,
       (SELECT a.key_number FROM attempt a WHERE a.operation_id = o.id ORDER BY a.number DESC LIMIT 1) AS key_number
  FROM batch_row r
  LEFT JOIN operation o ON o.id = r.operation_id
  LEFT JOIN result f ON f.operation_id = o.id;

COMMENT ON VIEW batch_record IS 'Where the rows of batches stand, as bulk callers see it: derived, so that nothing has to be kept in step.';
