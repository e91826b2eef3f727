-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

-- The caller's place in its trace (W3C Trace Context), which calls to Fineract and webhooks are told.
ALTER TABLE payload ADD COLUMN traceparent text;
COMMENT ON COLUMN payload.traceparent IS 'The header traceparent of the request that submitted the operation; null if it had none.';

-- Beside the function without the last parameter, which older gateways use. A later version removes that one.
CREATE FUNCTION accept_operations(
    ids uuid[], types text[], creates boolean[], lanes text[], read_lanes text[], lenders text[], retries uuid[],
    expiries timestamptz[], callers text[], payloads text[], refs text[],
    key_callers text[], keys text[], digests bytea[], value_digests bytea[], key_ids uuid[],
    claims boolean[], lease_seconds float8, claimed_epoch integer, usernames text[], methods text[], paths text[],
    bodies text[], referents jsonb[],
    lock_timeout text, hold_lock bigint, mark_seconds float8, traceparents text[]
)
RETURNS TABLE (
    id uuid, is_ready boolean, fails_dependents boolean, is_claimed boolean, lane_position bigint,
    read_lane_position bigint, known_id bigint, read_known_id bigint
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
-- Joins here are between the rows of the arrays. Nested loops over the 50,000 rows of a batch would take hours.
SET enable_nestloop = off
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    replayed uuid[];
BEGIN
    IF lock_timeout IS NOT NULL THEN
        PERFORM set_config('lock_timeout', lock_timeout, true);
    END IF;
    IF cardinality(key_ids) > 0 THEN
        WITH inserted AS (
            INSERT INTO idempotency (caller, key, digest, value_digest, operation_id)
            SELECT * FROM unnest(key_callers, keys, digests, value_digests, key_ids)
                ON CONFLICT DO NOTHING
         RETURNING operation_id
        )
        SELECT array_agg(k) INTO replayed
          FROM unnest(key_ids) AS k
         WHERE k NOT IN (SELECT operation_id FROM inserted);
    END IF;
    -- From here to the commit, nobody can put everything on hold or end that hold.
    PERFORM pg_advisory_xact_lock_shared(hold_lock);
    RETURN QUERY
    WITH new AS (
        SELECT *
          FROM unnest(ids, types, lanes, read_lanes, lenders, retries, expiries, callers, payloads, refs, traceparents)
               WITH ORDINALITY AS n (id, type, lane, read_lane, lender, retry_of, expires_at, caller, data, reference,
                                     traceparent, number)
         WHERE replayed IS NULL OR n.id <> ALL (replayed)
    ), entry AS (
        SELECT number, lane, writes,
               row_number() OVER in_lane AS nth,
               count(*) FILTER (WHERE writes) OVER (in_lane ROWS UNBOUNDED PRECEDING) AS writers_before,
               count(*) OVER of_lane AS members,
               count(*) FILTER (WHERE writes) OVER of_lane AS writers
          FROM (SELECT number, lane, true AS writes FROM new
                 UNION ALL
                SELECT number, read_lane, false FROM new WHERE read_lane IS NOT NULL) e
        WINDOW of_lane AS (PARTITION BY lane), in_lane AS (PARTITION BY lane ORDER BY number, writes DESC)
    ), tail AS (
        INSERT INTO lane AS l (key, next_position, members, writers, failed_below, failure_read)
        -- The last two say how many of the new operations a failure mark may cover, and whether a create ends it. A lane
        -- that is new has no mark, so they mean nothing there.
        SELECT lane, 1 + max(members), max(members), max(writers),
               COALESCE(min(nth) FILTER (WHERE writes AND creates[number]) - 1, max(members)),
               COALESCE(bool_or(writes AND creates[number]), false)
          FROM entry
         GROUP BY lane
         ORDER BY lane COLLATE "C"
            ON CONFLICT (key) DO UPDATE
           SET next_position = l.next_position + excluded.members,
               members = l.members + excluded.members,
               writers = l.writers + excluded.writers,
               -- The callers of these operations cannot know of the failure yet, so the operations fail with it. A create
               -- depends on nothing before it, and the operations behind it depend on the create.
               (failed_below, failing_dependents, failure_read) = (
                   SELECT CASE WHEN fresh THEN l.next_position + excluded.failed_below ELSE l.failed_below END,
                          (fresh AND excluded.failed_below > 0) OR l.failing_dependents,
                          l.failure_read OR excluded.failure_read
                     FROM (SELECT l.failed_by IS NOT NULL AND NOT l.failure_read
                                  AND l.failed_at > now() - make_interval(secs => mark_seconds) AS fresh) mark)
        RETURNING key, next_position, members, writers, failing_dependents, failed_position, failed_below, failed_by,
                  CASE resource_epoch WHEN claimed_epoch THEN resource_id END AS resource_id
    ), covered AS (
        -- Extends the failures that mark these lanes to the new operations, as far as the marks reach.
        INSERT INTO lane_failure (lane, position, below, failed_by)
        SELECT key, failed_position, failed_below, failed_by
          FROM tail
         WHERE failing_dependents AND failed_below > failed_position
            ON CONFLICT (lane, position) DO UPDATE
           SET below = greatest(lane_failure.below, excluded.below)
    ), entered AS (
        -- A writer is admitted if it is the first entry of the lane, a reader if no writer is before it.
        SELECT e.number, e.lane, e.writes, t.failing_dependents, t.resource_id,
               t.next_position - e.members + e.nth - 1 AS position,
               NOT t.failing_dependents
               AND CASE WHEN e.writes THEN t.members - e.members + e.nth = 1
                        ELSE t.writers - e.writers + e.writers_before = 0 END AS admitted
          FROM entry e
          JOIN tail t ON t.key = e.lane
    ), accepted AS (
        SELECT n.*, w.position, r.position AS read_position,
               ((NOT w.admitted)::int + COALESCE((NOT r.admitted)::int, 0))::smallint AS blocked_by,
               w.failing_dependents OR COALESCE(r.failing_dependents, false) AS fails_dependents,
               w.resource_id AS known_id, r.resource_id AS read_known_id, hold.id AS hold_all,
               -- A worker of the process that accepts the operation claims it at once, if the operation may be sent now.
               COALESCE(claims[n.number], false) AND w.admitted AND COALESCE(r.admitted, true) AND hold.id IS NULL
               AND COALESCE(n.expires_at > now(), true) AND claimed_epoch = (SELECT epoch FROM books) AS is_claimed
          FROM new n
          JOIN entered w ON w.number = n.number AND w.writes
          LEFT JOIN entered r ON r.number = n.number AND NOT r.writes
          LEFT JOIN hold_all hold ON hold.ended_at IS NULL
    ), operations AS (
        INSERT INTO operation (id, type, state, lane, position, read_lane, read_position, blocked_by, lender, retry_of,
                               expires_at, attempt, due_at, on_hold, hold_all)
        SELECT a.id, a.type,
               CASE WHEN a.is_claimed THEN 'running' WHEN a.blocked_by = 0 THEN 'ready' ELSE 'waiting' END,
               a.lane, a.position, a.read_lane, a.read_position, a.blocked_by, a.lender, a.retry_of, a.expires_at,
               a.is_claimed::int,
               CASE WHEN a.is_claimed THEN now() + make_interval(secs => lease_seconds)
                    WHEN a.blocked_by = 0 THEN now() END,
               a.hold_all IS NOT NULL, a.hold_all
          FROM accepted a
         ORDER BY a.id
    ), attempts AS (
        INSERT INTO attempt (operation_id, number, key_number, method, path, body, username, referents, epoch)
        SELECT a.id, 1, 1, methods[a.number], paths[a.number], bodies[a.number], usernames[a.number], referents[a.number],
               claimed_epoch
          FROM accepted a
         WHERE a.is_claimed AND methods[a.number] IS NOT NULL
    ), payloads AS (
        INSERT INTO payload (operation_id, caller, data, reference, lane, traceparent)
        SELECT n.id, n.caller, n.data::json, n.reference, n.lane, n.traceparent FROM new n
    ), entries AS (
        INSERT INTO lane_entry (lane, position, operation_id, writes, admitted)
        SELECT e.lane, e.position, ids[e.number], e.writes, e.admitted FROM entered e
    )
    SELECT a.id, a.blocked_by = 0 AND NOT a.is_claimed, a.fails_dependents, a.is_claimed, a.position, a.read_position,
           a.known_id, a.read_known_id
      FROM accepted a;
END
$$;
COMMENT ON FUNCTION accept_operations(
    uuid[], text[], boolean[], text[], text[], text[], uuid[], timestamptz[], text[], text[], text[], text[], text[],
    bytea[], bytea[], uuid[], boolean[], float8, integer, text[], text[], text[], text[], jsonb[], text, bigint, float8,
    text[]
) IS 'Inserts operations at the tails of their lanes, in the order of the arrays. Returns those that were inserted: not those whose caller has used the idempotency key before.';
