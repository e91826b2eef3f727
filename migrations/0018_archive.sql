-- The archive of operations that ended long ago (docs/adr/0047-ended-operations-move-to-an-archive.md).

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

-- The archive: the rows as they were. Ids of operations are UUIDs of version 7, so a range of ids is a range of times of
-- acceptance: a partition has the operations of one month (UTC). Whoever adds a column to a hot table adds it here too, and
-- to the view below.
CREATE TABLE archived_operation (
    LIKE operation INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    CONSTRAINT archived_operation_pkey PRIMARY KEY (id),
    CONSTRAINT archived_operation_ended CHECK (ended_at IS NOT NULL)
) PARTITION BY RANGE (id);
COMMENT ON TABLE archived_operation IS 'Operations that ended long ago.';
CREATE TABLE archived_payload (
    LIKE payload INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    CONSTRAINT archived_payload_pkey PRIMARY KEY (operation_id)
) PARTITION BY RANGE (operation_id);
COMMENT ON TABLE archived_payload IS 'Their payloads.';
CREATE TABLE archived_attempt (
    LIKE attempt INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    CONSTRAINT archived_attempt_pkey PRIMARY KEY (operation_id, number)
) PARTITION BY RANGE (operation_id);
COMMENT ON TABLE archived_attempt IS 'Their attempts.';
CREATE TABLE archived_result (
    LIKE result INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    CONSTRAINT archived_result_pkey PRIMARY KEY (operation_id)
) PARTITION BY RANGE (operation_id);
COMMENT ON TABLE archived_result IS 'Their results.';

-- The indexes of the operators' lists, as those of the hot tables (0004, 0007, 0009).
CREATE INDEX archived_operation_ended ON archived_operation (ended_at, id);
CREATE INDEX archived_operation_failure ON archived_operation (ended_at, id) INCLUDE (type, lender)
    WHERE state = 'failed';
CREATE INDEX archived_operation_ended_reader ON archived_operation (read_lane, id)
    WHERE read_lane IS NOT NULL;
CREATE INDEX archived_operation_of_lender ON archived_operation (lender, id)
    WHERE lender IS NOT NULL;
CREATE INDEX archived_payload_lane ON archived_payload (lane, operation_id);
CREATE INDEX archived_payload_caller ON archived_payload (caller, operation_id);
CREATE INDEX archived_payload_newest_reference ON archived_payload (plain_reference(reference), operation_id)
    WHERE reference IS NOT NULL;
CREATE INDEX archived_result_code ON archived_result (code, operation_id)
    WHERE code IS NOT NULL;

-- What must be known for ever, also when the rows are gone.
CREATE TABLE past_operation (
    id uuid NOT NULL,
    type text NOT NULL,
    state text NOT NULL,
    caller text NOT NULL,
    retry_of uuid,
    lane text NOT NULL COLLATE "C",
    position bigint NOT NULL,
    on_hold boolean DEFAULT false NOT NULL,
    hold_all bigint,
    CONSTRAINT past_operation_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE past_operation IS 'What remains for ever of each operation that was archived: ids, and no other data of people.';
COMMENT ON COLUMN past_operation.caller IS 'As payload.caller.';
COMMENT ON COLUMN past_operation.retry_of IS 'As operation.retry_of. A failed operation is run again once at most.';
COMMENT ON COLUMN past_operation.position IS 'As operation.position. What came later in the lane tells whether a failed operation is still wanted.';
COMMENT ON COLUMN past_operation.on_hold IS 'As operation.on_hold. What runs it again is on hold too.';
COMMENT ON COLUMN past_operation.hold_all IS 'As operation.hold_all.';
CREATE INDEX past_operation_lane ON past_operation (lane, type);
CREATE UNIQUE INDEX past_operation_retry_of ON past_operation (retry_of)
    WHERE retry_of IS NOT NULL;

CREATE TABLE past_reference (
    lane text NOT NULL COLLATE "C",
    reference text NOT NULL COLLATE "C",
    position bigint NOT NULL,
    operation_id uuid NOT NULL,
    CONSTRAINT past_reference_pkey PRIMARY KEY (lane, reference, position)
);
COMMENT ON TABLE past_reference IS 'The UTRs that archived operations have used up in their lanes.';
COMMENT ON COLUMN past_reference.reference IS 'In the form in which references are compared (plain_reference, and a number without zeros at its begin). A reference that is not ASCII: as it was sent, since only the gateway can compare it.';

CREATE TABLE past_read (
    read_lane text NOT NULL COLLATE "C",
    lane text NOT NULL COLLATE "C",
    CONSTRAINT past_read_pkey PRIMARY KEY (read_lane, lane)
);
COMMENT ON TABLE past_read IS 'Which lanes archived operations that succeeded wrote while they read another: the loans of a client.';

COMMENT ON TABLE idempotency IS 'A callers own Idempotency-Key. Written with its operation, and kept for ever.';

CREATE TABLE past_batch (
    batch_id uuid NOT NULL,
    CONSTRAINT past_batch_pkey PRIMARY KEY (batch_id)
);
COMMENT ON TABLE past_batch IS 'The batches of which operations were archived.';

-- All operations that there are, for the lists, which walk along an index.
CREATE VIEW known_operation AS SELECT * FROM operation UNION ALL SELECT * FROM archived_operation;
CREATE VIEW known_payload AS SELECT * FROM payload UNION ALL SELECT * FROM archived_payload;
CREATE VIEW known_result AS SELECT * FROM result UNION ALL SELECT * FROM archived_result;
CREATE VIEW known_retry AS
SELECT id, type, retry_of FROM operation WHERE retry_of IS NOT NULL
 UNION ALL
SELECT id, type, retry_of FROM past_operation WHERE retry_of IS NOT NULL;
COMMENT ON VIEW known_operation IS 'The operations of the hot tables and of the archive. By ids, known_operations(ids) finds them in less time.';
COMMENT ON VIEW known_retry IS 'The operations that run failed ones again, also those whose rows are gone.';

CREATE FUNCTION first_id(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT rpad(lpad(to_hex((EXTRACT(EPOCH FROM at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;
COMMENT ON FUNCTION first_id IS 'The lowest UUID of version 7 that can be generated at this time.';

CREATE FUNCTION month_of_id(id uuid) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT date_trunc('month', to_timestamp(('x' || lpad(replace(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint
                                            / 1000.0) AT TIME ZONE 'UTC')::date
$$;
COMMENT ON FUNCTION month_of_id IS 'The month (UTC) in which a UUID of version 7 was generated, as its first day.';

CREATE FUNCTION ids_by_month(ids uuid[]) RETURNS TABLE (lowest uuid, below uuid, of_month uuid[])
LANGUAGE sql STABLE AS $$
    SELECT first_id(month::timestamp AT TIME ZONE 'UTC'), first_id((month + interval '1 month') AT TIME ZONE 'UTC'),
           array_agg(id)
      FROM (SELECT DISTINCT id, month_of_id(id) AS month FROM unnest(ids) AS i (id) WHERE id IS NOT NULL) m
     GROUP BY month
$$;
COMMENT ON FUNCTION ids_by_month IS 'These ids, and the borders of their months.';

CREATE FUNCTION not_hot(ids uuid[]) RETURNS uuid[]
LANGUAGE sql STABLE
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
    SELECT ARRAY(SELECT i.id FROM unnest(ids) AS i (id) LEFT JOIN operation o ON o.id = i.id WHERE o.id IS NULL)
$$;
COMMENT ON FUNCTION not_hot IS 'Those of these ids that no operation of the hot tables has.';

-- The rows of these operations: the hot ones first, and the rest in the archive. A plan for any id would open each
-- partition of the archive, and a join with it would do so for each row. So each month is planned with its ids, when Postgres
-- can see that there is only one partition to open.
--
-- Creates archived_operations and known_operations, archived_payloads and known_payloads, archived_attempts and
-- known_attempts, archived_results and known_results.
DO $do$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['operation', 'payload', 'attempt', 'result'] LOOP
        EXECUTE format($create$
CREATE FUNCTION archived_%1$ss(ids uuid[]) RETURNS SETOF %1$s
LANGUAGE plpgsql STABLE ROWS 50
SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    part record;
BEGIN
    FOR part IN SELECT * FROM ids_by_month(ids) LOOP
        RETURN QUERY SELECT * FROM archived_%1$s
            WHERE %2$s = ANY (part.of_month) AND %2$s >= part.lowest AND %2$s < part.below;
    END LOOP;
END
$$;
CREATE FUNCTION known_%1$ss(ids uuid[]) RETURNS SETOF %1$s
LANGUAGE plpgsql STABLE ROWS 50
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    others uuid[] := not_hot(ids);
BEGIN
    RETURN QUERY SELECT * FROM %1$s WHERE %2$s = ANY (ids);
    IF others <> '{}' THEN
        RETURN QUERY SELECT * FROM archived_%1$ss(others);
    END IF;
END
$$;
COMMENT ON FUNCTION known_%1$ss IS 'The rows of these operations in %1$s, or in archived_%1$s.';
$create$, part, CASE part WHEN 'operation' THEN 'id' ELSE 'operation_id' END);
    END LOOP;
END
$do$;

CREATE FUNCTION archived_records(of_batch uuid)
RETURNS TABLE (
    number integer, operation_id uuid, consent_id text, type text, lane text, status text, code text, message text,
    changed_at timestamptz, key_number integer
)
LANGUAGE plpgsql STABLE
-- A plan for any batch joins the functions below without an index.
SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    archived uuid[];
BEGIN
    archived := not_hot(ARRAY(SELECT r.operation_id FROM batch_row r
                               WHERE r.batch_id = of_batch AND r.operation_id IS NOT NULL));
    RETURN QUERY
    SELECT r.number, r.operation_id, COALESCE(r.consent_id, r.operation_id::text), p.type, o.lane,
           -- If its rows are gone, so is how it ended.
           CASE o.state WHEN 'succeeded' THEN 'COMPLETED' WHEN 'failed' THEN 'FAILED' ELSE 'ARCHIVED' END,
           CASE WHEN o.state = 'failed' THEN f.code END,
           CASE WHEN o.state = 'failed' THEN f.message || COALESCE(': ' || fineract_sentences(f.failure), '') END,
           GREATEST(o.accepted_at, o.ended_at),
           a.key_number
      FROM unnest(archived) AS i (id)
      JOIN batch_row r ON r.operation_id = i.id
      JOIN past_operation p ON p.id = i.id
      LEFT JOIN archived_operations(archived) o ON o.id = i.id
      LEFT JOIN archived_results(archived) f ON f.operation_id = i.id
      LEFT JOIN (SELECT DISTINCT ON (t.operation_id) t.operation_id, t.key_number
                   FROM archived_attempts(archived) t
                  ORDER BY t.operation_id, t.number DESC) a ON a.operation_id = i.id;
END
$$;
COMMENT ON FUNCTION archived_records IS 'The rows of a batch whose operations are archived, or gone. Only batch_record calls it.';

CREATE OR REPLACE VIEW batch_record AS
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
  LEFT JOIN result f ON f.operation_id = o.id
 WHERE r.operation_id IS NULL OR o.id IS NOT NULL
 UNION ALL
-- Called once for the batch that is asked for, and only if operations of it were archived.
SELECT p.batch_id, a.number, a.operation_id, a.consent_id, a.type, a.lane COLLATE "C", a.status, a.code, a.message, a.changed_at, a.key_number
  FROM past_batch p
 CROSS JOIN LATERAL archived_records(p.batch_id) a;

-- As in 0011_credentials.sql, but the rows of a batch may have been archived.
CREATE OR REPLACE FUNCTION number_events(most integer, OUT numbered integer, OUT last_number bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    s            event_sequence;
    drawn_now    bigint;
    is_cleared   boolean;
    ids          bigint[];
    base         bigint;
    touched      uuid[];
    touched_one  uuid;
    looked_at    integer;
    open_row     integer;
BEGIN
    -- One gateway at a time. What this one does not see yet, the next pass sees.
    IF NOT pg_try_advisory_xact_lock(x'6576656e7473'::bigint) THEN
        RETURN;
    END IF;
    -- Read before this transaction gets an id and before a snapshot is taken. Whoever draws an id has a transaction id.
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO drawn_now FROM new_event_id_seq;
    SELECT * INTO s FROM event_sequence;
    IF NOT FOUND THEN
        -- Somebody has emptied all tables.
        INSERT INTO event_sequence DEFAULT VALUES RETURNING * INTO s;
    END IF;
    IF drawn_now < s.drawn THEN
        -- Somebody has restarted the sequence.
        s.cleared := 0;
        s.drawn := 0;
    END IF;
    -- The second case: the database was restored into another cluster, where no transaction of the old one runs.
    is_cleared := s.drawn_before <= pg_snapshot_xmin(pg_current_snapshot())
               OR s.drawn_before >= pg_snapshot_xmax(pg_current_snapshot());
    ids := ARRAY(SELECT id FROM new_event WHERE id > s.cleared ORDER BY id LIMIT most);
    IF ids = '{}' THEN
        numbered := 0;
        RETURN;
    END IF;
    base := greatest(s.last + 1, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint);
    WITH taken AS (
        DELETE FROM new_event WHERE id = ANY (ids) RETURNING *
    ), owned AS (
        SELECT t.id, t.type, t.operation_id, t.at, b.id AS batch_id,
               CASE WHEN b.id IS NULL THEN owner_of('token', COALESCE(p.caller, '')) ELSE owner_of('bulk', b.client) END AS owner
          FROM taken t
          LEFT JOIN payload p ON p.operation_id = t.operation_id
          LEFT JOIN batch b ON b.id = COALESCE(
                t.batch_id,
                -- Before the end of this operation was numbered, retries may have made the row refer to a later one.
                (WITH RECURSIVE later (id) AS (
                     SELECT t.operation_id
                      UNION ALL
                     SELECT o.id FROM later l JOIN operation o ON o.retry_of = l.id
                 )
                 SELECT r.batch_id FROM later l JOIN batch_row r ON r.operation_id = l.id LIMIT 1))
    ), told AS (
        INSERT INTO event (number, type, owner, operation_id, batch_id, at)
        SELECT base - 1 + row_number() OVER (ORDER BY id), type, owner, operation_id, batch_id, at
          FROM owned
     RETURNING number, type, batch_id
    )
    SELECT count(*), max(number),
           array_agg(DISTINCT batch_id) FILTER (WHERE type IN ('operation.succeeded', 'operation.failed'))
      INTO numbered, last_number, touched
      FROM told;
    IF is_cleared THEN
        -- This pass has seen everything up to drawn, unless it had to stop before.
        s.cleared := CASE WHEN cardinality(ids) < most THEN s.drawn ELSE least(s.drawn, ids[most]) END;
        s.drawn := drawn_now;
        s.drawn_before := pg_current_xact_id();
    END IF;
    -- Which batches has this pass ended? The search for an open row begins where the last one found one, so that all
    -- searches in a batch together read each row about twice.
    FOREACH touched_one IN ARRAY COALESCE(array_remove(touched, NULL), '{}') LOOP
        looked_at := COALESCE((SELECT number FROM batch_open_row WHERE batch_id = touched_one), 1);
        open_row := COALESCE(find_open_row(touched_one, looked_at, 2147483647),
                             find_open_row(touched_one, 1, looked_at));
        IF open_row IS NOT NULL THEN
            INSERT INTO batch_open_row AS r (batch_id, number) VALUES (touched_one, open_row)
                ON CONFLICT (batch_id) DO UPDATE SET number = excluded.number WHERE r.number <> excluded.number;
        ELSE
            DELETE FROM batch_open_row WHERE batch_id = touched_one;
            numbered := numbered + 1;
            last_number := last_number + 1;
            INSERT INTO event (number, type, owner, batch_id, at)
            SELECT last_number,
                   CASE WHEN EXISTS (SELECT FROM batch_row r
                                       LEFT JOIN operation o ON o.id = r.operation_id
                                      WHERE r.batch_id = b.id
                                        AND COALESCE(o.state,
                                                     (SELECT p.state FROM past_operation p WHERE p.id = r.operation_id),
                                                     'failed') = 'failed')
                        THEN 'batch.failed' ELSE 'batch.completed' END,
                   owner_of('bulk', b.client), b.id, clock_timestamp()
              FROM batch b
             WHERE b.id = touched_one;
        END IF;
    END LOOP;
    UPDATE event_sequence
       SET last = last_number, cleared = s.cleared, drawn = s.drawn, drawn_before = s.drawn_before;
END
$$;

-- As in 0008_holds.sql, but the failed operation may have been archived; and an operation that was archived may have run
-- it again, which the index operation_retry_of does not see.
CREATE OR REPLACE FUNCTION keep_on_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    failed record;
BEGIN
    -- It acts for the owner, so nobody may use it for a table of their own.
    IF TG_RELID <> 'operation'::regclass THEN
        RAISE EXCEPTION 'only for the table operation' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Against archive_operations: what it moves now is in neither table for anybody else.
    PERFORM pg_advisory_xact_lock_shared(x'7265747279'::bigint);
    IF EXISTS (SELECT FROM past_operation WHERE retry_of = NEW.retry_of) THEN
        RAISE EXCEPTION 'operation % has been run again', NEW.retry_of USING ERRCODE = 'unique_violation';
    END IF;
    SELECT on_hold, hold_all INTO failed FROM operation WHERE id = NEW.retry_of;
    IF NOT FOUND THEN
        SELECT on_hold, hold_all INTO failed FROM past_operation WHERE id = NEW.retry_of;
    END IF;
    IF failed.on_hold THEN
        NEW.on_hold := true;
        -- On hold alone, or together with what a hold-all has put on hold.
        NEW.hold_all := CASE WHEN failed.hold_all IS NOT NULL THEN COALESCE(NEW.hold_all, failed.hold_all) END;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION read_archived_operations(ids uuid[])
RETURNS TABLE (
    id uuid, type text, state text, ended_at timestamptz, success text, failure text, message text, marked boolean,
    caller text
)
LANGUAGE sql STABLE AS $$
    SELECT o.id, o.type, o.state, o.ended_at, r.success, r.failure, r.message, r.marked, p.caller
      FROM archived_operations(ids) o
      LEFT JOIN archived_payloads(ids) p ON p.operation_id = o.id
      LEFT JOIN archived_results(ids) r ON r.operation_id = o.id
$$;
COMMENT ON FUNCTION read_archived_operations IS 'What track answers for those of these operations that are archived, and who sent them.';

CREATE FUNCTION past_names(ids uuid[]) RETURNS TABLE (id uuid, type text, lane text, traceparent text)
LANGUAGE plpgsql STABLE ROWS 50 AS $$
#variable_conflict use_column
DECLARE
    others uuid[] := array_remove(not_hot(ids), NULL);
BEGIN
    IF others = '{}' THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT past.id, past.type, o.lane, p.traceparent
      FROM past_operation past
      LEFT JOIN archived_operations(others) o ON o.id = past.id
      LEFT JOIN archived_payloads(others) p ON p.operation_id = past.id
     WHERE past.id = ANY (others);
END
$$;
COMMENT ON FUNCTION past_names IS 'What events tell of those of these operations that are no longer in the hot tables. No lane: its rows are gone.';

CREATE FUNCTION make_archive_month(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text;
    name text;
BEGIN
    FOREACH part IN ARRAY ARRAY['operation', 'payload', 'attempt', 'result'] LOOP
        name := 'archived_' || part || to_char(month, '_YYYY_MM');
        CONTINUE WHEN to_regclass(format('%I.%I', current_schema(), name)) IS NOT NULL;
        -- Not PARTITION OF, which would stop all reads of the archive until the commit.
        EXECUTE format('CREATE TABLE %I.%I (LIKE archived_%s INCLUDING ALL)', current_schema(), name, part);
        EXECUTE format('ALTER TABLE archived_%s ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)', part,
                       current_schema(), name, first_id(month::timestamp AT TIME ZONE 'UTC'),
                       first_id((month + interval '1 month') AT TIME ZONE 'UTC'));
    END LOOP;
END
$$;
COMMENT ON FUNCTION make_archive_month IS 'Makes the partitions of a month, unless there are some. Only archive_operations calls it.';

CREATE FUNCTION archive_operations(ids uuid[], ended_before timestamptz) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
SET lock_timeout = '250ms'
AS $$
DECLARE
    moved uuid[];
BEGIN
    IF NOT has_table_privilege(session_user, 'operation', 'DELETE') THEN
        RAISE EXCEPTION 'only who may delete operations may do this' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF ids IS NULL OR ended_before IS NULL THEN
        RAISE EXCEPTION 'ids and ended_before must be given' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    -- One transaction at a time makes partitions.
    PERFORM pg_advisory_xact_lock(x'617263686976'::bigint);
    IF EXISTS (SELECT FROM gateway_process WHERE NOT reads_archive)
       -- A gateway that shuts down works on without a heartbeat.
       OR EXISTS (SELECT FROM _sqlx_migrations WHERE version = 18 AND installed_on > now() - interval '1 hour')
    THEN
        RETURN NULL;
    END IF;
    moved := ARRAY(
        SELECT o.id
          FROM operation o
         WHERE o.id = ANY (ids)
           -- Failure marks of lanes, and answers that arrive late, are younger than a day.
           AND o.ended_at < LEAST(ended_before, now() - interval '1 day')
           -- worker/late asks the earlier keys of these again, at any time.
           AND o.key_number = 1
           -- Not EXISTS, which may hash a whole table.
           AND (SELECT true FROM attempt a WHERE a.operation_id = o.id AND a.answered_at IS NULL LIMIT 1) IS NULL
           AND (SELECT true FROM new_event e WHERE e.operation_id = o.id LIMIT 1) IS NULL
           AND (SELECT true FROM lane l WHERE l.key = o.lane AND l.failing_dependents AND l.failed_by = o.id LIMIT 1) IS NULL
           AND (SELECT true FROM lane_failure f WHERE f.lane = o.lane AND f.failed_by = o.id LIMIT 1) IS NULL
           AND (SELECT true FROM repair r
                  JOIN repair_row w ON w.repair_id = r.id AND w.operation_id = o.id
                 WHERE r.ended_at IS NULL LIMIT 1) IS NULL
         ORDER BY o.id
           -- Nobody has to wait for this, and it waits for nobody, so it cannot be part of a deadlock.
           FOR UPDATE OF o SKIP LOCKED);
    IF moved = '{}' THEN
        RETURN 0;
    END IF;
    IF EXISTS (SELECT FROM operation WHERE id = ANY (moved) AND retry_of IS NOT NULL) THEN
        -- Against keep_on_hold.
        PERFORM pg_advisory_xact_lock(x'7265747279'::bigint);
    END IF;
    PERFORM make_archive_month(month) FROM (SELECT DISTINCT month_of_id(id) AS month FROM unnest(moved) AS m (id)) months;
    INSERT INTO past_operation (id, type, state, caller, retry_of, lane, position, on_hold, hold_all)
    SELECT o.id, o.type, o.state, p.caller, o.retry_of, o.lane, o.position, o.on_hold, o.hold_all
      FROM operation o
      JOIN payload p ON p.operation_id = o.id
     WHERE o.id = ANY (moved);
    INSERT INTO past_reference (lane, reference, position, operation_id)
    SELECT p.lane,
           -- Of a number, without the zeros that spreadsheets drop.
           COALESCE(regexp_replace(plain_reference(p.reference), '^0+(?=[0-9]+$)', ''), p.reference),
           o.position, o.id
      FROM operation o
      JOIN payload p ON p.operation_id = o.id
     WHERE o.id = ANY (moved) AND o.state = 'succeeded' AND p.reference IS NOT NULL;
    INSERT INTO past_batch (batch_id)
    SELECT DISTINCT batch_id FROM batch_row WHERE operation_id = ANY (moved)
        ON CONFLICT DO NOTHING;
    INSERT INTO past_read (read_lane, lane)
    SELECT DISTINCT read_lane, lane FROM operation
     WHERE id = ANY (moved) AND read_lane IS NOT NULL AND state = 'succeeded'
        ON CONFLICT DO NOTHING;
    WITH gone AS (DELETE FROM operation WHERE id = ANY (moved) RETURNING *)
    INSERT INTO archived_operation SELECT * FROM gone;
    WITH gone AS (DELETE FROM payload WHERE operation_id = ANY (moved) RETURNING *)
    INSERT INTO archived_payload SELECT * FROM gone;
    WITH gone AS (DELETE FROM attempt WHERE operation_id = ANY (moved) RETURNING *)
    INSERT INTO archived_attempt SELECT * FROM gone;
    WITH gone AS (DELETE FROM result WHERE operation_id = ANY (moved) RETURNING *)
    INSERT INTO archived_result SELECT * FROM gone;
    RETURN cardinality(moved);
END
$$;
COMMENT ON FUNCTION archive_operations IS 'Moves those of these operations that ended before this time, and on which nothing depends any more, into the archive. The caller has checked that no command of them may still run. Returns how many. NULL: a gateway runs that does not know the archive.';

CREATE TABLE dropped_month (
    month date NOT NULL,
    dropped_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT dropped_month_pkey PRIMARY KEY (month)
);
COMMENT ON TABLE dropped_month IS 'The months of the archive whose rows are gone.';
COMMENT ON COLUMN dropped_month.month IS 'Its first day (UTC).';

CREATE FUNCTION drop_archive_month(of_month date, ended_before timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off
-- Less than deadlock_timeout: if there is a deadlock with readers of the archive, this gives way and not they.
SET lock_timeout = '500ms'
AS $$
DECLARE
    suffix text := to_char(of_month, '_YYYY_MM');
    -- With its schema: a table of the caller's own, which is temporary, may have the same name.
    operations text := format('%I.%I', current_schema(), 'archived_operation' || suffix);
    beyond timestamptz := (of_month + interval '1 month') AT TIME ZONE 'UTC';
    newest timestamptz;
BEGIN
    IF NOT has_table_privilege(session_user, 'operation', 'DELETE') THEN
        RAISE EXCEPTION 'only who may delete operations may do this' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF of_month IS NULL OR ended_before IS NULL THEN
        RAISE EXCEPTION 'of_month and ended_before must be given' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF beyond >= LEAST(ended_before, now()) OR to_regclass(operations) IS NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(x'617263686976'::bigint);
    EXECUTE 'SELECT max(ended_at) FROM ' || operations INTO newest;
    IF newest >= ended_before
       -- One that was accepted in this month and has not ended, or not long ago.
       OR (SELECT true FROM operation
            WHERE id >= first_id(of_month::timestamp AT TIME ZONE 'UTC') AND id < first_id(beyond)
              AND (ended_at IS NULL OR ended_at >= ended_before)
            LIMIT 1)
       -- Its operations may be in it.
       OR (SELECT true FROM repair WHERE ended_at IS NULL LIMIT 1)
    THEN
        RETURN false;
    END IF;
    -- A month is dropped again if an operation was archived in it after the first time.
    INSERT INTO dropped_month (month) VALUES (of_month)
        ON CONFLICT (month) DO UPDATE SET dropped_at = excluded.dropped_at;
    EXECUTE format('DROP TABLE %2$s, %1$I.%3$I, %1$I.%4$I, %1$I.%5$I', current_schema(), operations,
                   'archived_payload' || suffix, 'archived_attempt' || suffix, 'archived_result' || suffix);
    RETURN true;
END
$$;
COMMENT ON FUNCTION drop_archive_month IS 'Drops a month of the archive if each operation that was accepted in it ended before this time. Returns whether it did.';

CREATE TABLE retention (
    is_it boolean DEFAULT true NOT NULL,
    run_by uuid,
    run_until timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    archived bigint DEFAULT 0 NOT NULL,
    kept bigint DEFAULT 0 NOT NULL,
    dropped integer DEFAULT 0 NOT NULL,
    problem text,
    CONSTRAINT retention_pkey PRIMARY KEY (is_it),
    CONSTRAINT retention_one CHECK (is_it)
)
WITH (fillfactor = 50);
COMMENT ON TABLE retention IS 'The last run that archived ended operations: one row, or none before the first.';
COMMENT ON COLUMN retention.run_by IS 'The process that is at it, until run_until.';
COMMENT ON COLUMN retention.archived IS 'How many operations the run has archived.';
COMMENT ON COLUMN retention.kept IS 'How many were old enough, but must stay.';
COMMENT ON COLUMN retention.dropped IS 'How many months it has dropped.';
COMMENT ON COLUMN retention.problem IS 'Why the run ended early.';

-- They run with the rights of the owner of the tables: a gateway whose role owns nothing can make no partition, and an older
-- one has no rights on the new tables. The last two look whether their caller may delete operations.
DO $$
DECLARE
    function regprocedure;
    role     regrole;
BEGIN
    FOREACH function IN ARRAY ARRAY['number_events(integer)', 'keep_on_hold()', 'archive_operations(uuid[], timestamptz)',
                                    'drop_archive_month(date, timestamptz)']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', function, current_schema());
    END LOOP;
    -- Who makes a trigger on a table of their own could otherwise let them act on it for the owner.
    REVOKE EXECUTE ON FUNCTION keep_on_hold(), write_events(), count_credential_change() FROM PUBLIC;
    -- Views call functions that only read, also for roles that may call no others (scripts/database-roles.sql).
    FOR function, role IN
        SELECT f.oid, r.grantee
          FROM pg_proc f
         CROSS JOIN (SELECT DISTINCT grantee
                       FROM pg_class, aclexplode(relacl)
                      WHERE pg_class.oid = 'operation'::regclass AND privilege_type = 'SELECT' AND grantee <> 0) r
         WHERE f.pronamespace = current_schema()::regnamespace AND pg_has_role(f.proowner, 'USAGE')
           AND f.provolatile <> 'v' AND NOT f.prosecdef
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', function, role);
    END LOOP;
END
$$;
