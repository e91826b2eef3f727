-- What the operators' API needs: indexes for its lists, repairs, and a row for each running gateway. 0006 has what the
-- audit needs: it has a transaction of its own, because it waits for gateways that write audit rows.
--
-- The indexes. While they are built, nothing can be accepted or completed; on a large database, build them beforehand
-- (README.md). An update of `operation` is never HOT, because each claim and each completion changes `due_at`, which has
-- an index. So each version of a row gets an entry in every index whose predicate it satisfies. Therefore the indexes on
-- `operation` contain only rows that have ended (one entry for each operation, written by the update that ends it), and
-- the others are on tables whose rows are inserted once. `src/store/operators/list/walk.rs` has the queries.

-- The last operations that ended, and a range of ended_at: `?state=ended`, `?state=succeeded`, `?ended_after=…`.
CREATE INDEX IF NOT EXISTS operation_ended ON operation (ended_at, id)
    WHERE ended_at IS NOT NULL;
-- The last failures: `?state=failed`.
CREATE INDEX IF NOT EXISTS operation_failed ON operation (ended_at, id)
    WHERE state = 'failed';
-- The ended operations that read a lane: `GET /fineract/lanes/{lane}`.
CREATE INDEX IF NOT EXISTS operation_ended_reader ON operation (read_lane, id)
    WHERE read_lane IS NOT NULL AND ended_at IS NOT NULL;
-- The operations of a lender: `?lender=…`. Only a LOAN_CREATE has a lender.
CREATE INDEX IF NOT EXISTS operation_of_lender ON operation (lender, id)
    WHERE lender IS NOT NULL;
-- The operations that write a lane, for `?lane=…`, `?external_id=…`, `?q=…` and `GET /fineract/lanes/{lane}`.
CREATE INDEX IF NOT EXISTS payload_lane ON payload (lane, operation_id);
-- The operations of a caller: `?caller=…`.
CREATE INDEX IF NOT EXISTS payload_caller ON payload (caller, operation_id);
-- The operations with a UTR, in any lane: `?q=…`.
CREATE INDEX IF NOT EXISTS payload_any_reference ON payload (plain_reference(reference))
    WHERE reference IS NOT NULL;
-- The operations that have not ended: `?state=open`, `waiting`, `ready`, `running`.
CREATE INDEX IF NOT EXISTS lane_entry_open ON lane_entry (operation_id)
    WHERE writes;
-- The failures with a code: `?state=failed&reason_code=…`.
CREATE INDEX IF NOT EXISTS result_code ON result (code, operation_id)
    WHERE code IS NOT NULL;

-- Repairs: one action on many operations.
CREATE TABLE repair (
    id uuid NOT NULL,
    action text NOT NULL,
    filter json NOT NULL,
    options json NOT NULL,
    reason text NOT NULL,
    operator text NOT NULL,
    request_id text NOT NULL,
    address text,
    total integer NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    changed integer DEFAULT 0 NOT NULL,
    refused integer DEFAULT 0 NOT NULL,
    started_at timestamptz DEFAULT now() NOT NULL,
    run_by uuid,
    run_until timestamptz,
    stopped_at timestamptz,
    stopped_by text,
    ended_at timestamptz,
    CONSTRAINT repair_pkey PRIMARY KEY (id),
    CONSTRAINT repair_action CHECK (action IN ('retry', 'cancel', 'hold', 'release', 'resolve')),
    CONSTRAINT repair_counts CHECK (done + changed + refused <= total),
    CONSTRAINT repair_stop CHECK ((stopped_at IS NULL) = (stopped_by IS NULL))
);
COMMENT ON TABLE repair IS 'One action of an operator on many operations, which a gateway carries out row by row.';
COMMENT ON COLUMN repair.filter IS 'The filter that selected the operations. It is kept for people; the operations are in repair_row.';
COMMENT ON COLUMN repair.options IS 'What the action needs besides the operation: outcome and nothing_waits of a resolution, expires_at of a retry.';
COMMENT ON COLUMN repair.total IS 'How many rows it has.';
COMMENT ON COLUMN repair.done IS 'How many rows have this outcome; so do changed and refused.';
COMMENT ON COLUMN repair.run_by IS 'The mark of the gateway that carries it out; each gateway that takes it writes a new one. NULL: none does.';
COMMENT ON COLUMN repair.run_until IS 'Until when one gateway carries it out. If the gateway dies, another one continues after this time. While none carries it out, none takes it before this time. NULL: none has begun.';
COMMENT ON COLUMN repair.stopped_at IS 'When an operator stopped it. Rows that are left stay as they are.';
COMMENT ON COLUMN repair.ended_at IS 'When the last row was done, or when the repair noticed that it was stopped.';
-- The repairs that a gateway has to carry out.
CREATE INDEX repair_open ON repair (started_at, id)
    WHERE ended_at IS NULL;

CREATE TABLE repair_row (
    repair_id uuid NOT NULL,
    number integer NOT NULL,
    operation_id uuid NOT NULL,
    seen text NOT NULL,
    outcome text,
    code text,
    message text,
    done_at timestamptz,
    CONSTRAINT repair_row_pkey PRIMARY KEY (repair_id, number),
    CONSTRAINT repair_row_operation UNIQUE (repair_id, operation_id),
    CONSTRAINT repair_row_outcome CHECK (outcome IN ('done', 'changed', 'refused')),
    CONSTRAINT repair_row_done CHECK ((outcome IS NULL) = (done_at IS NULL))
)
WITH (fillfactor = 80);
COMMENT ON TABLE repair_row IS 'An operation of a repair, in the order of lanes.';
COMMENT ON COLUMN repair_row.seen IS 'The state, the hold, the reason with its time, and the later operations of its type, when the repair was started. If they differ when its turn comes, it is left as it is.';
COMMENT ON COLUMN repair_row.outcome IS 'done; changed: it was no longer as seen; refused: the action was not possible. NULL: its turn has not come.';
-- The rows that are left.
CREATE INDEX repair_row_left ON repair_row (repair_id, number)
    WHERE outcome IS NULL;

-- The gateways that run.
CREATE TABLE gateway_process (
    id uuid NOT NULL,
    version text NOT NULL,
    role text NOT NULL,
    started_at timestamptz DEFAULT now() NOT NULL,
    seen_at timestamptz DEFAULT now() NOT NULL,
    settings json NOT NULL,
    work json,
    CONSTRAINT gateway_process_pkey PRIMARY KEY (id)
)
WITH (fillfactor = 50);
COMMENT ON TABLE gateway_process IS 'The gateways that run: each writes its row every 10 s and removes it at its shutdown.';
COMMENT ON COLUMN gateway_process.settings IS 'A digest of the value of each setting by its name, without secrets: enough to see which settings differ.';
COMMENT ON COLUMN gateway_process.work IS 'Of a worker: the circuit towards Fineract, the concurrency limit, and how many operations it runs.';
