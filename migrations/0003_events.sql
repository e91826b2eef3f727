-- What happened to operations and batches, for those who want to be told: the event feed, the operators' stream and the
-- charts (docs/adr/0035-a-sequencer-numbers-events.md).
--
-- A trigger writes an event in the transaction that makes it true, so no path can forget one, and an older gateway that
-- still runs during an upgrade cannot either. The event has no number yet: transactions commit in another order than they
-- draw numbers. The sequencer (number_events) numbers what is committed.

CREATE TABLE new_event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    type text NOT NULL,
    operation_id uuid,
    batch_id uuid,
    at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT new_event_pkey PRIMARY KEY (id)
)
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);
COMMENT ON TABLE new_event IS 'Events that the sequencer has not numbered yet. They stay here for some milliseconds.';
COMMENT ON COLUMN new_event.batch_id IS 'Only of a batch whose rows were all refused at its acceptance. Other events of batches follow from those of their operations.';
-- Whether the end of an operation is not numbered yet.
CREATE INDEX new_event_operation ON new_event (operation_id)
    WHERE operation_id IS NOT NULL;
COMMENT ON COLUMN new_event.id IS 'In the order of the events of one lane: the lock that a transaction holds when it draws the id is held until its commit. Of two concurrent transactions, either may draw first.';

CREATE TABLE event (
    number bigint NOT NULL,
    type text NOT NULL,
    owner text NOT NULL COLLATE "C",
    operation_id uuid,
    batch_id uuid,
    at timestamptz NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (number),
    CONSTRAINT event_type CHECK (
        (operation_id IS NOT NULL
         AND type IN ('operation.succeeded', 'operation.failed', 'operation.parked', 'operation.resumed'))
        OR (operation_id IS NULL AND batch_id IS NOT NULL AND type IN ('batch.completed', 'batch.failed'))
    )
);
COMMENT ON TABLE event IS 'Numbered events. They contain ids only: what track or the status of a batch answers is read when an event is told.';
COMMENT ON COLUMN event.number IS 'The cursor of the feed: the time of numbering in microseconds since 1970, or one more than the last number. So numbers never go backwards, even if the database is restored to an earlier state.';
COMMENT ON COLUMN event.owner IS 'Who may read it: token:<name> or bulk:<name>.';
COMMENT ON COLUMN event.batch_id IS 'The batch, or the batch of the operation.';
COMMENT ON COLUMN event.at IS 'When the transaction began that made it true.';
-- The feed of one caller.
CREATE INDEX event_owner ON event (owner, number);

CREATE TABLE event_sequence (
    is_it boolean DEFAULT true NOT NULL,
    last bigint DEFAULT 0 NOT NULL,
    deleted bigint DEFAULT 0 NOT NULL,
    cleared bigint DEFAULT 0 NOT NULL,
    drawn bigint DEFAULT 0 NOT NULL,
    drawn_before xid8 DEFAULT '0' NOT NULL,
    CONSTRAINT event_sequence_pkey PRIMARY KEY (is_it),
    CONSTRAINT event_sequence_one CHECK (is_it)
)
WITH (fillfactor = 50);
COMMENT ON TABLE event_sequence IS 'The state of the sequencer: one row.';
COMMENT ON COLUMN event_sequence.last IS 'The highest number so far.';
COMMENT ON COLUMN event_sequence.deleted IS 'The highest number that was deleted because of its age. The feed cannot continue from before it.';
COMMENT ON COLUMN event_sequence.cleared IS 'Every event with an id up to this one has been numbered, so the search begins after it. Otherwise it would read again what is deleted but not vacuumed.';
COMMENT ON COLUMN event_sequence.drawn IS 'The highest id that was drawn at an earlier pass.';
COMMENT ON COLUMN event_sequence.drawn_before IS 'The transaction of that pass, which got its id after it had read drawn. Whoever has drawn an id up to drawn is older. When all older transactions have ended, drawn becomes cleared.';
INSERT INTO event_sequence DEFAULT VALUES;

CREATE TABLE batch_open_row (
    batch_id uuid NOT NULL,
    number integer NOT NULL,
    CONSTRAINT batch_open_row_pkey PRIMARY KEY (batch_id)
)
WITH (fillfactor = 50);
COMMENT ON TABLE batch_open_row IS 'Where the sequencer looks first for a row of a batch that has not ended. Only a hint.';

CREATE TABLE minute (
    at timestamptz NOT NULL,
    accepted integer NOT NULL,
    succeeded integer NOT NULL,
    failed integer NOT NULL,
    parked integer NOT NULL,
    p50_ms bigint,
    p99_ms bigint,
    CONSTRAINT minute_pkey PRIMARY KEY (at)
);
COMMENT ON TABLE minute IS 'What happened in each minute, for charts.';
COMMENT ON COLUMN minute.at IS 'When the minute began.';
COMMENT ON COLUMN minute.accepted IS 'Operations whose ids were generated in this minute.';
COMMENT ON COLUMN minute.succeeded IS 'Events numbered in this minute. The same holds for failed and parked.';
COMMENT ON COLUMN minute.p50_ms IS 'Milliseconds from acceptance to end, which half of the operations that ended did not exceed. NULL: none ended.';
COMMENT ON COLUMN minute.p99_ms IS 'As p50_ms, for 99 of 100.';

CREATE FUNCTION write_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- No join: the functions that update many rows switch hash joins off. IN hashes nevertheless.
    INSERT INTO new_event (type, operation_id)
    SELECT 'operation.' || CASE WHEN n.ended_at IS NOT NULL OR n.state = 'parked' THEN n.state ELSE 'resumed' END, n.id
      FROM new_rows n
     WHERE n.ended_at IS NOT NULL
        OR (n.state = 'parked') <> (n.id IN (SELECT id FROM old_rows WHERE state = 'parked'))
     ORDER BY n.position;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_events IS 'Writes an event for each operation that a statement has ended, parked or resumed. An operation that has ended is never updated again.';
CREATE TRIGGER write_events AFTER UPDATE ON operation
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION write_events();

CREATE FUNCTION find_open_row(of_batch uuid, from_number integer, below integer) RETURNS integer
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
BEGIN
    -- An operation whose end is not numbered yet counts as open, so that its batch has its event after it.
    RETURN (SELECT r.number
              FROM batch_row r
              JOIN operation o ON o.id = r.operation_id
             WHERE r.batch_id = of_batch AND r.number >= from_number AND r.number < below
               -- Not EXISTS, which may hash the whole table.
               AND (o.ended_at IS NULL OR (SELECT true FROM new_event e WHERE e.operation_id = o.id LIMIT 1))
             ORDER BY r.number
             LIMIT 1);
END
$$;
COMMENT ON FUNCTION find_open_row IS 'The first row of a batch, in a range of numbers, whose operation has not ended. Only number_events calls it.';

CREATE FUNCTION number_events(most integer, OUT numbered integer, OUT last_number bigint)
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
               CASE WHEN b.id IS NULL THEN 'token:' || COALESCE(p.caller, '') ELSE 'bulk:' || b.client END AS owner
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
                                      WHERE r.batch_id = b.id AND (o.id IS NULL OR o.state = 'failed'))
                        THEN 'batch.failed' ELSE 'batch.completed' END,
                   'bulk:' || b.client, b.id, clock_timestamp()
              FROM batch b
             WHERE b.id = touched_one;
        END IF;
    END LOOP;
    UPDATE event_sequence
       SET last = last_number, cleared = s.cleared, drawn = s.drawn, drawn_before = s.drawn_before;
END
$$;
COMMENT ON FUNCTION number_events IS 'Numbers up to this many committed events, in the order of their ids, and writes the events of the batches that they have ended. numbered is NULL if another gateway is at it.';

-- They run with the rights of the owner of the tables. Otherwise, no gateway whose role owns nothing could update an
-- operation before somebody has granted it rights on the new tables, not even an older gateway during an upgrade.
-- With pg_temp last, no temporary table of a caller can stand in for one of these tables.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION write_events() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION number_events(integer) SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END
$$;
