-- Credentials in the database, and whose an operation is (docs/adr/0045-every-gateway-knows-all-credentials.md).

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

CREATE TABLE credential (
    id uuid NOT NULL,
    name text NOT NULL,
    owner text NOT NULL COLLATE "C",
    kind text NOT NULL,
    scopes text[] NOT NULL,
    operation_types text[],
    lenders text[],
    rate integer,
    addresses text[],
    expires_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    CONSTRAINT credential_pkey PRIMARY KEY (id),
    CONSTRAINT credential_name CHECK (name ~ '^[A-Za-z0-9._-]{1,100}$'),
    CONSTRAINT credential_owner CHECK (owner ~ '^(owner|token|bulk):[A-Za-z0-9._-]+$'),
    CONSTRAINT credential_kind CHECK (kind IN ('internal_token', 'api_key', 'bulk_client', 'ops')),
    CONSTRAINT credential_rate CHECK (rate > 0),
    CONSTRAINT credential_expires CHECK (isfinite(expires_at)),
    CONSTRAINT credential_revoked CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
COMMENT ON TABLE credential IS 'Who may use the API, besides the tokens in the environment. A row is never deleted.';
COMMENT ON COLUMN credential.owner IS 'Whose operations, batches, events, webhooks and keys it reaches, as event.owner.';
COMMENT ON COLUMN credential.kind IS 'By which header it is sent.';
COMMENT ON COLUMN credential.operation_types IS 'The operation types that it may send. NULL: every type.';
COMMENT ON COLUMN credential.lenders IS 'The lenders for which it may send operations that name one. NULL: every lender.';
COMMENT ON COLUMN credential.rate IS 'How many requests a minute each gateway admits. NULL: any number.';
COMMENT ON COLUMN credential.addresses IS 'The networks from which it may be used, as CIDR. NULL: from everywhere.';
COMMENT ON COLUMN credential.expires_at IS 'When it ends, by the time of Postgres. NULL: never.';
-- People name a credential in commands and sign in to the page with its name, so a name in use has one meaning.
CREATE UNIQUE INDEX credential_in_use ON credential (name)
    WHERE revoked_at IS NULL;

CREATE TABLE credential_secret (
    credential_id uuid NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    valid_until timestamptz,
    CONSTRAINT credential_secret_pkey PRIMARY KEY (digest),
    CONSTRAINT credential_secret_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT credential_secret_valid CHECK (isfinite(valid_until))
);
COMMENT ON TABLE credential_secret IS 'The secrets of credentials: several of one credential during a rotation.';
COMMENT ON COLUMN credential_secret.digest IS 'SHA-256 of the secret. It is random, so a slow hash would protect nothing. The secret itself is not stored.';
COMMENT ON COLUMN credential_secret.valid_until IS 'When it ends, by the time of Postgres. NULL: it is the newest secret.';
CREATE INDEX credential_secret_of ON credential_secret (credential_id);

CREATE TABLE credential_use (
    credential_id uuid NOT NULL,
    used_at timestamptz NOT NULL,
    CONSTRAINT credential_use_pkey PRIMARY KEY (credential_id)
)
WITH (fillfactor = 50);
COMMENT ON TABLE credential_use IS 'When each credential was last used. A table of its own, so that gateways need not read credentials again because of it.';
COMMENT ON COLUMN credential_use.used_at IS 'To the minute. Each gateway writes all that it has seen once a minute.';

CREATE TABLE credential_change (
    is_it boolean DEFAULT true NOT NULL,
    number bigint DEFAULT 0 NOT NULL,
    CONSTRAINT credential_change_pkey PRIMARY KEY (is_it),
    CONSTRAINT credential_change_one CHECK (is_it)
)
WITH (fillfactor = 50);
COMMENT ON TABLE credential_change IS 'How often credentials have changed: one row, which every gateway reads some times a second.';
INSERT INTO credential_change DEFAULT VALUES;

CREATE FUNCTION count_credential_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credential_change AS c (number) VALUES (1)
        ON CONFLICT (is_it) DO UPDATE SET number = c.number + 1;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION count_credential_change IS 'Tells the gateways to read the credentials again, whoever has changed them.';
CREATE TRIGGER count_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON credential
    FOR EACH STATEMENT EXECUTE FUNCTION count_credential_change();
CREATE TRIGGER count_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON credential_secret
    FOR EACH STATEMENT EXECUTE FUNCTION count_credential_change();

-- Whose is an operation or a batch? payload.caller and batch.client have contained the name of a token or of a bulk client
-- so far. They still do if the owner is such a name; otherwise they contain the whole owner, which a name cannot look like,
-- because it has no colon. So neither operations nor batches nor callers' keys need another column or index.
CREATE FUNCTION owner_of(kind text, stored text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN position(':' IN stored) > 0 THEN stored ELSE kind || ':' || stored END
$$;
COMMENT ON FUNCTION owner_of IS 'The owner of an operation (token) or a batch (bulk), of which payload.caller or batch.client is given.';
COMMENT ON COLUMN payload.caller IS 'Who sent it: the name of a token or of a bulk client, or an owner such as owner:acme.';
COMMENT ON COLUMN batch.client IS 'Who sent it: the name of a bulk client, or an owner such as owner:acme. Nobody else sees the batch.';
COMMENT ON COLUMN idempotency.caller IS 'As payload.caller.';
COMMENT ON COLUMN event.owner IS 'Who may read it: owner:<name>, token:<name> or bulk:<name>.';

-- As in 0003_events.sql, but for the owner.
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
                                      WHERE r.batch_id = b.id AND (o.id IS NULL OR o.state = 'failed'))
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

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION number_events(integer) SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION count_credential_change() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END
$$;

-- Beside the function with one parameter, which older gateways use.
CREATE FUNCTION read_operations(ids uuid[], with_callers boolean)
RETURNS TABLE (
    id uuid, type text, state text, ended_at timestamptz, success text, failure text, message text, marked boolean,
    caller text
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT o.id, o.type, o.state, o.ended_at, r.success, r.failure, r.message, r.marked,
           CASE WHEN with_callers THEN (SELECT p.caller FROM payload p WHERE p.operation_id = o.id) END
      FROM operation o
      LEFT JOIN result r ON r.operation_id = o.id
     WHERE o.id = ANY (ids);
END
$$;
COMMENT ON FUNCTION read_operations(uuid[], boolean) IS 'What track answers for these operations, and who sent them if that is asked.';

ALTER TABLE audit
    DROP CONSTRAINT audit_action,
    ADD CONSTRAINT audit_action CHECK (
        action IN ('cancel', 'retry', 'resolve', 'hold', 'release', 'confirm_number', 'confirm_books', 'end_hold',
                   'start_repair', 'stop_repair', 'reveal', 'resend_webhooks', 'create_key', 'rotate_key', 'revoke_key')
    );
