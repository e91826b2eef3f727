-- The schema of version 0.2.0. It replaces the files of the time before, when nothing was deployed.
-- Later changes are files of their own; see README.md in this folder.

CREATE FUNCTION plain_reference(reference text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN reference COLLATE "C" ~ '^[\x01-\x7f]*$'
                THEN lower(translate(reference, E' \t\n\x0b\f\r-', '') COLLATE "C") END
$$;
COMMENT ON FUNCTION plain_reference IS 'An ASCII reference in the form in which references are compared. NULL: not ASCII, so only the gateway can compare it.';

CREATE FUNCTION fineract_sentences(body text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT AS
$$
DECLARE
    said      json;
    sentences text;
BEGIN
    said := body::json;
    IF json_typeof(said) <> 'object' THEN
        RETURN NULL;
    END IF;
    IF json_typeof(said -> 'errors') = 'array' THEN
        SELECT string_agg(e.error ->> 'defaultUserMessage', ' ' ORDER BY e.place)
          INTO sentences
          FROM json_array_elements(said -> 'errors') WITH ORDINALITY AS e (error, place)
         WHERE json_typeof(e.error) = 'object';
    END IF;
    RETURN left(COALESCE(NULLIF(sentences, ''), NULLIF(said ->> 'defaultUserMessage', '')), 1000);
EXCEPTION
    -- No JSON, or none that Postgres can take apart.
    WHEN OTHERS THEN
        RETURN NULL;
END
$$;
COMMENT ON FUNCTION fineract_sentences IS 'The sentences for people in an error body of Fineract. NULL: there are none.';

CREATE TABLE lane (
    key text NOT NULL COLLATE "C",
    next_position bigint DEFAULT 1 NOT NULL,
    members integer DEFAULT 0 NOT NULL,
    writers integer DEFAULT 0 NOT NULL,
    resource_id bigint,
    failed_by uuid,
    failed_at timestamptz,
    failed_position bigint DEFAULT 0 NOT NULL,
    failed_below bigint DEFAULT 0 NOT NULL,
    failure_read boolean DEFAULT false NOT NULL,
    failing_dependents boolean DEFAULT false NOT NULL,
    resource_name text,
    resource_epoch integer DEFAULT 1 NOT NULL,
    CONSTRAINT lane_pkey PRIMARY KEY (key),
    CONSTRAINT lane_counts CHECK ((members >= writers) AND (writers >= 0)),
    CONSTRAINT lane_failing_dependents CHECK ((NOT failing_dependents) OR (failed_by IS NOT NULL)),
    CONSTRAINT lane_mark CHECK ((failed_by IS NULL) = (failed_at IS NULL))
)
WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE lane IS 'Operations on one client or loan, which must run in the order of their acceptance: client:<externalId> or loan:<externalId>, case-folded. Transactions lock lanes in the order of their keys, and before operations.';
COMMENT ON COLUMN lane.next_position IS 'Position of the next operation. It is taken under the row lock, so positions follow the order of acceptance.';
COMMENT ON COLUMN lane.members IS 'Operations in the lane that have not ended.';
COMMENT ON COLUMN lane.writers IS 'How many of the members write the lane.';
COMMENT ON COLUMN lane.resource_id IS 'Fineracts numeric id of the client or loan, as Fineract answered our own create. NULL: it did not answer, or the client or loan was deleted.';
COMMENT ON COLUMN lane.failed_by IS 'The failed operation on which newly accepted operations depend until a caller has read the failure. Of several, the one with the highest position.';
COMMENT ON COLUMN lane.failed_position IS 'The position of that operation. Operations before it are not affected.';
COMMENT ON COLUMN lane.failed_below IS 'Operations behind it with a position below this are its dependents, and fail with it.';
COMMENT ON COLUMN lane.failure_read IS 'Whether a caller has read the failure. Operations accepted later do not depend on it.';
COMMENT ON COLUMN lane.failing_dependents IS 'Whether dependents below failed_below still have to be ended. Nothing in the lane is admitted meanwhile.';
COMMENT ON COLUMN lane.resource_name IS 'The external id that the create sent which taught resource_id. The lane key is case-folded, Fineracts external ids are not. NULL: an older gateway learned the number.';
COMMENT ON COLUMN lane.resource_epoch IS 'The epoch of the books in which resource_id was learned. In another epoch resource_id is not used.';
CREATE INDEX lane_failing_dependents ON lane (key)
    WHERE failing_dependents;
CREATE INDEX lane_number ON lane (split_part(key, ':'::text, 1), resource_epoch, resource_id)
    WHERE resource_id IS NOT NULL;

CREATE TABLE lane_failure (
    lane text NOT NULL COLLATE "C",
    position bigint NOT NULL,
    below bigint NOT NULL,
    failed_by uuid NOT NULL,
    CONSTRAINT lane_failure_pkey PRIMARY KEY (lane, position)
);
COMMENT ON TABLE lane_failure IS 'A failed operation whose dependents still have to be ended. Written and removed under the lock of the lane; nothing in the lane is admitted while it has such a row.';
COMMENT ON COLUMN lane_failure.position IS 'The position of the failed operation.';
COMMENT ON COLUMN lane_failure.below IS 'Operations behind it with a position below this, and before the next create, fail with it.';

CREATE TABLE operation (
    id uuid NOT NULL,
    type text NOT NULL,
    state text NOT NULL,
    lane text NOT NULL COLLATE "C",
    position bigint NOT NULL,
    read_lane text COLLATE "C",
    read_position bigint,
    blocked_by smallint NOT NULL,
    due_at timestamptz,
    attempt integer DEFAULT 0 NOT NULL,
    key_number integer DEFAULT 1 NOT NULL,
    lost smallint DEFAULT 0 NOT NULL,
    lender text,
    reason_code text,
    reason_since timestamptz,
    accepted_at timestamptz DEFAULT now() NOT NULL,
    ended_at timestamptz,
    retry_of uuid,
    resolution text,
    expires_at timestamptz,
    on_hold boolean DEFAULT false NOT NULL,
    deaths smallint DEFAULT 0 NOT NULL,
    begun integer,
    reason_counts boolean DEFAULT true NOT NULL,
    hold_all bigint,
    read_first boolean DEFAULT false NOT NULL,
    nothing_waits boolean DEFAULT false NOT NULL,
    CONSTRAINT operation_pkey PRIMARY KEY (id),
    CONSTRAINT operation_counts CHECK ((attempt >= 0) AND (key_number >= 1) AND (lost >= 0)),
    CONSTRAINT operation_due CHECK ((due_at IS NOT NULL) = (state IN ('ready', 'running'))),
    CONSTRAINT operation_end CHECK ((ended_at IS NOT NULL) = (state IN ('succeeded', 'failed'))),
    CONSTRAINT operation_read_lane CHECK ((read_lane IS NULL) = (read_position IS NULL)),
    CONSTRAINT operation_state CHECK (state IN ('waiting', 'ready', 'running', 'parked', 'succeeded', 'failed')),
    CONSTRAINT operation_blocked_by CHECK ((blocked_by >= 0) AND (blocked_by <= 2)),
    CONSTRAINT operation_waiting CHECK (
        ((state = 'waiting') = (blocked_by > 0))
        OR (state IN ('succeeded', 'failed'))
    ),
    CONSTRAINT operation_reason CHECK (
        ((reason_code IS NULL) = (reason_since IS NULL))
        AND ((state <> 'parked') OR (reason_code IS NOT NULL))
    ),
    CONSTRAINT operation_resolution CHECK (
        (resolution IN ('succeeded', 'failed'))
        AND ((state IN ('ready', 'running')) OR (state = resolution))
    )
)
WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE operation IS 'One accepted request. The table is narrow and often updated; payload, attempts and results have tables of their own.';
COMMENT ON COLUMN operation.blocked_by IS 'In how many of its lanes another operation has to end first (0 to 2). Operations that end lower it; it is never computed by a search.';
COMMENT ON COLUMN operation.due_at IS 'When a worker may claim it. ready: not before this time. running: when its lease has run out.';
COMMENT ON COLUMN operation.attempt IS 'How often it was claimed. Also the fence: only the worker with this number completes it.';
COMMENT ON COLUMN operation.key_number IS 'k of the Idempotency-Key <id>-<k>. Only the decision "new key" raises it.';
COMMENT ON COLUMN operation.lost IS 'Claims whose process died after an attempt was committed.';
COMMENT ON COLUMN operation.lender IS 'The lender whose product Fineract locks while the operation runs; LOAN_CREATE only.';
COMMENT ON COLUMN operation.reason_code IS 'Why it is parked, blocked or retried: a stable code.';
COMMENT ON COLUMN operation.retry_of IS 'The ended operation that this one runs again.';
COMMENT ON COLUMN operation.resolution IS 'How the operation ended, according to an operator. A worker ends it so if Fineract agrees, and parks it again if not. Nothing is sent.';
COMMENT ON COLUMN operation.expires_at IS 'If nothing was sent by this time, nothing is sent: the operation fails when its turn comes.';
COMMENT ON COLUMN operation.on_hold IS 'Whether it is on hold: it keeps its lane entries, is not claimed, and no attempt of it begins.';
COMMENT ON COLUMN operation.deaths IS 'Claims whose process died, or that panicked, before an attempt was committed. From the second on, only claims that ran alone count.';
COMMENT ON COLUMN operation.begun IS 'The claim that ran alone because earlier ones died: the number of its attempt.';
COMMENT ON COLUMN operation.reason_counts IS 'Whether the time since reason_since counts towards being parked. It does not during an outage.';
COMMENT ON COLUMN operation.hold_all IS 'The hold-all that put it on hold. NULL: it is not on hold, or an operator put this one operation on hold.';
COMMENT ON COLUMN operation.read_first IS 'Whether it existed when a hold-all began. A restored database may know less than happened, so Fineract is read before the operation ends as not sent.';
COMMENT ON COLUMN operation.nothing_waits IS 'Whether the operator who resolved it as failed has made sure that no command of it waits for a checker. Only used for commands that were sent to earlier books.';
CREATE INDEX operation_due ON operation (due_at, id)
    WHERE (due_at IS NOT NULL) AND (NOT on_hold) AND (lender IS NULL);
CREATE INDEX operation_due_of_lender ON operation (lender, due_at, id)
    WHERE (due_at IS NOT NULL) AND (NOT on_hold) AND (lender IS NOT NULL);
CREATE INDEX operation_expires ON operation (expires_at)
    WHERE (expires_at IS NOT NULL) AND (ended_at IS NULL);
CREATE INDEX operation_on_hold ON operation (accepted_at, id)
    WHERE on_hold AND (ended_at IS NULL);
CREATE INDEX operation_parked ON operation (reason_since, id)
    WHERE state = 'parked';
CREATE INDEX operation_rekeyed ON operation (lane, position)
    WHERE key_number > 1;
CREATE UNIQUE INDEX operation_retry_of ON operation (retry_of)
    WHERE retry_of IS NOT NULL;

CREATE TABLE payload (
    operation_id uuid NOT NULL,
    caller text NOT NULL,
    data json NOT NULL,
    reference text,
    lane text NOT NULL COLLATE "C",
    CONSTRAINT payload_pkey PRIMARY KEY (operation_id)
);
COMMENT ON TABLE payload IS 'What the caller sent, word for word: json, not jsonb, which would reorder keys and change numbers.';
COMMENT ON COLUMN payload.reference IS 'A reference (UTR) that may be used once in its lane.';
CREATE INDEX payload_plain_reference ON payload (lane, plain_reference(reference))
    WHERE reference IS NOT NULL;
CREATE INDEX payload_reference ON payload (lane, reference)
    WHERE reference IS NOT NULL;

CREATE TABLE lane_entry (
    lane text NOT NULL COLLATE "C",
    position bigint NOT NULL,
    operation_id uuid NOT NULL,
    writes boolean NOT NULL,
    admitted boolean NOT NULL,
    CONSTRAINT lane_entry_pkey PRIMARY KEY (lane, position)
)
WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE lane_entry IS 'The position of an open operation in a lane. A writer is admitted when no entry is before it, a reader when no writer is before it.';
CREATE INDEX lane_entry_blocked_reader ON lane_entry (lane, position)
    WHERE (NOT writes) AND (NOT admitted);
CREATE INDEX lane_entry_writer ON lane_entry (lane, position)
    WHERE writes;

CREATE TABLE attempt (
    operation_id uuid NOT NULL,
    number integer NOT NULL,
    key_number integer NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    body text,
    sent_at timestamptz DEFAULT now() NOT NULL,
    answered_at timestamptz,
    status smallint,
    cached boolean,
    answer text,
    error text,
    effect_preexisted boolean DEFAULT false NOT NULL,
    currency text,
    pays_off boolean DEFAULT false NOT NULL,
    username text,
    referents jsonb,
    epoch integer DEFAULT 1 NOT NULL,
    CONSTRAINT attempt_pkey PRIMARY KEY (operation_id, number),
    CONSTRAINT attempt_answer CHECK (((status IS NULL) = (cached IS NULL)) AND ((status IS NULL) = (answer IS NULL))),
    CONSTRAINT attempt_answered CHECK ((answered_at IS NULL) = ((status IS NULL) AND (error IS NULL))),
    CONSTRAINT attempt_method CHECK (method IN ('POST', 'PUT', 'DELETE'))
);
COMMENT ON TABLE attempt IS 'A command as it was committed before it was sent, and the answer, both word for word. Written without the fence: it is evidence.';
COMMENT ON COLUMN attempt.answered_at IS 'NULL: no answer yet, or the process died.';
COMMENT ON COLUMN attempt.error IS 'Why there is no answer, as a code: timed_out, closed, not_connected.';
COMMENT ON COLUMN attempt.effect_preexisted IS 'Whether the effect was already visible in Fineract before the first attempt of the operation.';
COMMENT ON COLUMN attempt.currency IS 'The currency of the loan, read before the attempt. NULL: not read, or a command that was sent again.';
COMMENT ON COLUMN attempt.pays_off IS 'Whether it repays all that was outstanding on the loan, as read before the attempt.';
COMMENT ON COLUMN attempt.username IS 'The Fineract user that sent it (FINERACT_USER). NULL: an older gateway sent it.';
COMMENT ON COLUMN attempt.referents IS 'What the numbers in the command meant when it was planned: kind, number, name. They are compared before the command is sent again. NULL: an older gateway sent it.';
COMMENT ON COLUMN attempt.epoch IS 'The epoch of the books that it was sent to. It is never sent to the books of another epoch.';

CREATE TABLE result (
    operation_id uuid NOT NULL,
    success text,
    failure text,
    code text,
    message text,
    marked boolean DEFAULT false NOT NULL,
    failed_with uuid,
    CONSTRAINT result_pkey PRIMARY KEY (operation_id),
    CONSTRAINT result_success CHECK ((success IS NULL) OR ((failure IS NULL) AND (message IS NULL)))
);
COMMENT ON TABLE result IS 'What track answers for an ended operation. The bodies are Fineracts own, unchanged.';
COMMENT ON COLUMN result.code IS 'Why it failed: a stable code for operators.';
COMMENT ON COLUMN result.marked IS 'Whether a lane depends on this failure, or on the failure that caused it, until a caller has read it.';
COMMENT ON COLUMN result.failed_with IS 'The failed operation of which this one was a dependent; this one was not sent.';

CREATE TABLE idempotency (
    caller text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    operation_id uuid NOT NULL,
    value_digest bytea,
    CONSTRAINT idempotency_pkey PRIMARY KEY (caller, key),
    CONSTRAINT idempotency_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT idempotency_value_digest CHECK (octet_length(value_digest) = 32)
);
COMMENT ON TABLE idempotency IS 'A callers own Idempotency-Key. Written with its operation and kept as long.';
COMMENT ON COLUMN idempotency.digest IS 'SHA-256 of the request body. The same key with another body is refused.';
COMMENT ON COLUMN idempotency.value_digest IS 'SHA-256 of the JSON value of the body, independent of how it is written: an equal value is the same body. NULL: only the bytes are compared.';

CREATE TABLE batch (
    id uuid NOT NULL,
    client text NOT NULL,
    reference_id text NOT NULL,
    digest bytea NOT NULL,
    file_name text,
    global_config json,
    total integer NOT NULL,
    accepted_at timestamptz DEFAULT now() NOT NULL,
    value_digest bytea,
    CONSTRAINT batch_pkey PRIMARY KEY (id),
    CONSTRAINT batch_reference UNIQUE (client, reference_id),
    CONSTRAINT batch_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT batch_total CHECK (total > 0),
    CONSTRAINT batch_value_digest CHECK (octet_length(value_digest) = 32)
);
COMMENT ON TABLE batch IS 'One upload of operations, accepted as a whole.';
COMMENT ON COLUMN batch.client IS 'The name of the bulk client. Only this client sees the batch.';
COMMENT ON COLUMN batch.reference_id IS 'The client''s own name for it.';
COMMENT ON COLUMN batch.digest IS 'SHA-256 of the body. The same reference with another body is refused.';
COMMENT ON COLUMN batch.global_config IS 'Kept and returned, not interpreted.';
COMMENT ON COLUMN batch.value_digest IS 'As idempotency.value_digest. Of CSV, only the bytes are compared.';

CREATE TABLE batch_row (
    batch_id uuid NOT NULL,
    number integer NOT NULL,
    operation_id uuid,
    consent_id text,
    type text,
    lane text COLLATE "C",
    data json,
    code text,
    message text,
    names json,
    expires_at timestamptz,
    CONSTRAINT batch_row_pkey PRIMARY KEY (batch_id, number),
    CONSTRAINT batch_row_number CHECK (number >= 1),
    CONSTRAINT batch_row_refused CHECK (
        ((operation_id IS NULL) = (code IS NOT NULL))
        AND ((code IS NULL) = (message IS NULL))
        AND ((code IS NOT NULL) OR ((type IS NULL) AND (lane IS NULL) AND (data IS NULL)))
    )
);
COMMENT ON TABLE batch_row IS 'A row of a batch. A retry makes it point to another operation.';
COMMENT ON COLUMN batch_row.number IS 'Its number in the file, from 1.';
COMMENT ON COLUMN batch_row.operation_id IS 'The operation that runs it. NULL: refused when it was received, in a batch that asked for its valid rows only.';
COMMENT ON COLUMN batch_row.consent_id IS 'The caller''s own name for the row.';
COMMENT ON COLUMN batch_row.type IS 'Of a refused row: its type, if it could be read. The same holds for lane.';
COMMENT ON COLUMN batch_row.data IS 'Of a row that was refused only because it depends on another refused row: its payload.';
COMMENT ON COLUMN batch_row.code IS 'Of a refused row: the reason, as result.code of an operation.';
COMMENT ON COLUMN batch_row.names IS 'Of a refused row whose payload is not kept: the fields by which it names clients, loans and payments.';
COMMENT ON COLUMN batch_row.expires_at IS 'Of a refused row: its deadline.';
CREATE UNIQUE INDEX batch_row_operation ON batch_row (operation_id)
    WHERE operation_id IS NOT NULL;

CREATE TABLE hold_all (
    id bigint GENERATED ALWAYS AS IDENTITY,
    reason text NOT NULL,
    held_by text NOT NULL,
    since timestamptz DEFAULT now() NOT NULL,
    covers_all_since timestamptz,
    ended_at timestamptz,
    ended_by text,
    end_reason text,
    CONSTRAINT hold_all_pkey PRIMARY KEY (id),
    CONSTRAINT hold_all_end CHECK (
        ((ended_at IS NULL) = (ended_by IS NULL))
        AND ((ended_at IS NULL) = (end_reason IS NULL))
    )
);
COMMENT ON TABLE hold_all IS 'The times that everything was put on hold. At most one is in force; while it is, each accepted operation is on hold from the start.';
COMMENT ON COLUMN hold_all.reason IS 'Why, in the words of who started it. No personal data.';
COMMENT ON COLUMN hold_all.held_by IS 'Who started it.';
COMMENT ON COLUMN hold_all.since IS 'From when on accepted operations are on hold.';
COMMENT ON COLUMN hold_all.covers_all_since IS 'From when on no older operation is claimed or sent either. NULL: not all of them are on hold yet, or the process that put them on hold died.';
COMMENT ON COLUMN hold_all.ended_at IS 'From when on accepted operations run. Operations that are on hold stay so until they are released.';
COMMENT ON COLUMN hold_all.ended_by IS 'The operator who ended it, or who started the next one.';
COMMENT ON COLUMN hold_all.end_reason IS 'Why it was ended.';
CREATE UNIQUE INDEX hold_all_standing ON hold_all ((true))
    WHERE ended_at IS NULL;

CREATE TABLE books (
    is_it boolean DEFAULT true NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    began_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT books_pkey PRIMARY KEY (is_it),
    CONSTRAINT books_one CHECK (is_it)
);
COMMENT ON TABLE books IS 'The books of Fineract (its database) that this database belongs to: one row.';
COMMENT ON COLUMN books.epoch IS 'Raised when an operator confirms that Fineracts books are no longer the same. Numbers and attempts of an earlier epoch are not used any more.';
COMMENT ON COLUMN books.began_at IS 'When the epoch began.';

CREATE TABLE confirmed_number (
    lane text NOT NULL COLLATE "C",
    number bigint NOT NULL,
    external_id text NOT NULL COLLATE "C",
    epoch integer NOT NULL,
    operator text NOT NULL,
    reason text NOT NULL,
    confirmed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT confirmed_number_pkey PRIMARY KEY (lane, number, external_id, epoch)
);
COMMENT ON TABLE confirmed_number IS 'Clients and loans whose external id was changed in Fineract. An operator has confirmed that the number still means the same client or loan.';
COMMENT ON COLUMN confirmed_number.lane IS 'The lane of the client or loan.';
COMMENT ON COLUMN confirmed_number.number IS 'Its number.';
COMMENT ON COLUMN confirmed_number.external_id IS 'The external id that Fineract shows under the number now.';
COMMENT ON COLUMN confirmed_number.epoch IS 'The epoch of the books for which the confirmation holds.';
COMMENT ON COLUMN confirmed_number.operator IS 'The name of the token.';
COMMENT ON COLUMN confirmed_number.reason IS 'Why it is the same, in the words of the operator.';
COMMENT ON COLUMN confirmed_number.confirmed_at IS 'When the operator confirmed it.';

CREATE TABLE number_conflict (
    lane text NOT NULL COLLATE "C",
    other_lane text NOT NULL COLLATE "C",
    number bigint NOT NULL,
    found_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT number_conflict_pkey PRIMARY KEY (lane, other_lane, number)
);
COMMENT ON TABLE number_conflict IS 'Two lanes that learned the same number. Fineract gives each number once, so its books were restored or replaced.';
COMMENT ON COLUMN number_conflict.lane IS 'The lane that learned it later.';
COMMENT ON COLUMN number_conflict.other_lane IS 'The lane that learned it first.';
COMMENT ON COLUMN number_conflict.number IS 'The number.';
COMMENT ON COLUMN number_conflict.found_at IS 'When the conflict was detected.';

CREATE TABLE key_probe (
    command text NOT NULL COLLATE "C",
    honoured boolean,
    asked_at timestamptz,
    process_start text,
    honoured_since timestamptz,
    subject text COLLATE "C",
    asking_until timestamptz,
    seen text,
    doubted boolean DEFAULT false NOT NULL,
    header text DEFAULT 'idempotency-key'::text NOT NULL COLLATE "C",
    CONSTRAINT key_probe_pkey PRIMARY KEY (command),
    CONSTRAINT key_probe_since CHECK ((honoured IS TRUE) = (honoured_since IS NOT NULL)),
    CONSTRAINT key_probe_verdict CHECK ((honoured IS NULL) = (asked_at IS NULL))
);
COMMENT ON TABLE key_probe IS 'Whether Fineract honours idempotency keys, by kind of command, for all gateways.';
COMMENT ON COLUMN key_probe.command IS 'The kind of command, by its endpoint: create_client, approve, …';
COMMENT ON COLUMN key_probe.honoured IS 'Whether a command that was sent twice under one key was answered from storage the second time. NULL: not known yet.';
COMMENT ON COLUMN key_probe.asked_at IS 'When that was probed. It is probed again after a day.';
COMMENT ON COLUMN key_probe.process_start IS 'process_start_time_seconds of the Fineract process that answered. NULL: it does not expose metrics.';
COMMENT ON COLUMN key_probe.honoured_since IS 'Since when keys are known to be honoured. Commands sent earlier may not be stored under their keys.';
COMMENT ON COLUMN key_probe.subject IS 'The lane of the client or loan used for the probe; it is tried first the next time. NULL: none.';
COMMENT ON COLUMN key_probe.asking_until IS 'Until when one gateway is probing and the others wait. NULL: none is probing.';
COMMENT ON COLUMN key_probe.seen IS 'process_start_time_seconds of the Fineract process that has to be probed, while there is no verdict on it. Empty: it does not expose metrics. NULL: there is a verdict.';
COMMENT ON COLUMN key_probe.doubted IS 'Whether a Fineract process has come and gone since the verdict without being probed. Commands sent to it may not be stored under their keys.';
COMMENT ON COLUMN key_probe.header IS 'The header, in lower case, that carried the key in the probe. Commands sent with another header are not stored under their keys.';

CREATE UNLOGGED TABLE api_key_usage (
    key_name text NOT NULL,
    minute bigint NOT NULL,
    granted integer NOT NULL,
    unspent integer NOT NULL,
    block integer NOT NULL,
    CONSTRAINT api_key_usage_pkey PRIMARY KEY (key_name),
    CONSTRAINT api_key_usage_counts CHECK ((granted >= 0) AND (unspent >= 0) AND (block >= 0))
)
WITH (fillfactor = 50);
COMMENT ON TABLE api_key_usage IS 'The requests that gateways may admit per API key and minute. Each gateway takes small blocks of the budget.';
COMMENT ON COLUMN api_key_usage.minute IS 'The minute, counted since 1970.';
COMMENT ON COLUMN api_key_usage.granted IS 'How many requests of the budget gateways have taken.';
COMMENT ON COLUMN api_key_usage.unspent IS 'Blocks that no gateway has reported as used up. The more there are, the smaller the next block is.';
COMMENT ON COLUMN api_key_usage.block IS 'The last block taken.';

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz DEFAULT now() NOT NULL,
    operator text NOT NULL,
    action text NOT NULL,
    operation_id uuid,
    request_id text NOT NULL,
    detail json NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id),
    CONSTRAINT audit_action CHECK (
        action IN ('cancel', 'retry', 'resolve', 'hold', 'release', 'confirm_number', 'confirm_books')
    )
);
COMMENT ON TABLE audit IS 'What operators did. Each row is written in the transaction of its action.';
COMMENT ON COLUMN audit.operator IS 'The name of the token.';
COMMENT ON COLUMN audit.operation_id IS 'The operation. NULL: the action concerned more than one.';
COMMENT ON COLUMN audit.request_id IS 'The id of the request, as it stands in the log.';
COMMENT ON COLUMN audit.detail IS 'The state of the operation before, and what was asked for. No personal data.';
CREATE INDEX audit_operation ON audit (operation_id, id);

INSERT INTO books DEFAULT VALUES;

CREATE FUNCTION operation_end_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operation % has ended', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER operation_end_is_final BEFORE UPDATE ON operation
   FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION operation_end_is_final();

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
       CASE
           WHEN o.id IS NULL THEN r.message
           WHEN o.state = 'failed' THEN f.message || COALESCE(': ' || fineract_sentences(f.failure), '')
       END AS message,
       GREATEST(o.accepted_at, o.ended_at, CASE WHEN o.ended_at IS NULL AND o.attempt > 0 THEN
           (SELECT max(a.sent_at) FROM attempt a WHERE a.operation_id = o.id) END) AS changed_at,
       (SELECT a.key_number FROM attempt a WHERE a.operation_id = o.id ORDER BY a.number DESC LIMIT 1) AS key_number
  FROM batch_row r
  LEFT JOIN operation o ON o.id = r.operation_id
  LEFT JOIN result f ON f.operation_id = o.id;
COMMENT ON VIEW batch_record IS 'The rows of batches as bulk callers see them. Derived, so that no copy has to be kept in step.';
