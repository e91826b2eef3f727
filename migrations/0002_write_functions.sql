-- The three writes of an operation's life as functions, so that each is one round trip and one transaction.
-- plpgsql keeps the plan of each statement, and each statement of a VOLATILE function sees what was committed before it
-- began. So a statement that follows the one that takes a lock sees what was committed while that one waited.
-- A single statement with CTEs would see everything as it was before the wait.
--
-- The plans are generic and made once. Postgres expects ten elements in an array whose length it does not know, and would
-- otherwise plan again at each call, which takes longer than the call. A plan from when a table was small must still be
-- good when the table is large: so each table is read by an index, for one row after the other.

CREATE FUNCTION accept_operations(
    ids uuid[], types text[], creates boolean[], lanes text[], read_lanes text[], lenders text[], retries uuid[],
    expiries timestamptz[], callers text[], payloads text[], refs text[],
    key_callers text[], keys text[], digests bytea[], value_digests bytea[], key_ids uuid[],
    claims boolean[], lease_seconds float8, claimed_epoch integer, usernames text[], methods text[], paths text[],
    bodies text[], referents jsonb[],
    lock_timeout text, hold_lock bigint, mark_seconds float8
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
          FROM unnest(ids, types, lanes, read_lanes, lenders, retries, expiries, callers, payloads, refs)
               WITH ORDINALITY AS n (id, type, lane, read_lane, lender, retry_of, expires_at, caller, data, reference,
                                     number)
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
        INSERT INTO payload (operation_id, caller, data, reference, lane)
        SELECT n.id, n.caller, n.data::json, n.reference, n.lane FROM new n
    ), entries AS (
        INSERT INTO lane_entry (lane, position, operation_id, writes, admitted)
        SELECT e.lane, e.position, ids[e.number], e.writes, e.admitted FROM entered e
    )
    SELECT a.id, a.blocked_by = 0 AND NOT a.is_claimed, a.fails_dependents, a.is_claimed, a.position, a.read_position,
           a.known_id, a.read_known_id
      FROM accepted a;
END
$$;
COMMENT ON FUNCTION accept_operations IS 'Inserts operations at the tails of their lanes, in the order of the arrays. Returns those that were inserted: not those whose caller has used the idempotency key before.';

CREATE FUNCTION admit_lanes(keys text[]) RETURNS boolean
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    has_ready boolean;
BEGIN
    WITH open AS MATERIALIZED (
        SELECT l.key,
               (SELECT p.position FROM lane_entry p WHERE p.lane = l.key AND p.writes
                 ORDER BY p.position LIMIT 1) AS writer
          FROM lane l
         WHERE l.key = ANY (keys) AND l.members > 0 AND NOT l.failing_dependents
    ), first AS MATERIALIZED (
        -- The readers before the first writer.
        SELECT o.key, r.position
          FROM open o
         CROSS JOIN LATERAL (
               SELECT p.position FROM lane_entry p
                WHERE p.lane = o.key AND NOT p.writes AND NOT p.admitted
                  AND p.position < COALESCE(o.writer, 9223372036854775807)
                ORDER BY p.position) r
         UNION ALL
        -- That writer, if there is no entry before it.
        SELECT o.key, h.position
          FROM open o
         CROSS JOIN LATERAL (
               SELECT p.position, p.admitted FROM lane_entry p
                WHERE p.lane = o.key
                ORDER BY p.position LIMIT 1) h
         WHERE h.position = o.writer AND NOT h.admitted
    ), admitted AS (
        UPDATE lane_entry p
           SET admitted = true
          FROM first f
         WHERE p.lane = f.key AND p.position = f.position
     RETURNING p.operation_id
    ), locked AS MATERIALIZED (
        SELECT o.id, g.times
          FROM (SELECT operation_id, count(*)::smallint AS times FROM admitted GROUP BY 1) g
          JOIN operation o ON o.id = g.operation_id
         ORDER BY o.id
           FOR NO KEY UPDATE OF o
    ), unblocked AS (
        UPDATE operation o
           SET blocked_by = o.blocked_by - l.times,
               state = CASE WHEN o.blocked_by = l.times THEN 'ready' ELSE 'waiting' END,
               due_at = CASE WHEN o.blocked_by = l.times THEN now() END
          FROM locked l
         WHERE o.id = l.id
     RETURNING o.state
    )
    SELECT COALESCE(bool_or(state = 'ready'), false) INTO has_ready FROM unblocked;
    RETURN has_ready;
END
$$;
COMMENT ON FUNCTION admit_lanes IS 'Admits the operations that are now first in these lanes, which the caller has locked. Returns whether one has become ready.';

CREATE FUNCTION end_operations(
    ids uuid[], lanes text[], positions bigint[], read_lanes text[], read_positions bigint[],
    are_learned boolean[], resource_ids bigint[], resource_names text[], fail_dependents boolean[],
    successes text[], failures text[], codes text[], messages text[], are_marked boolean[],
    failed_withs uuid[],
    only_numbers bigint[], is_known boolean, mark_seconds float8,
    OUT has_ready boolean, OUT has_dependents boolean, OUT has_number_conflict boolean
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    used text[];
BEGIN
    WITH ended AS (
        SELECT *
          FROM unnest(ids, lanes, positions, read_lanes, read_positions, are_learned, resource_ids, resource_names,
                      fail_dependents, successes, failures, codes, messages, are_marked, failed_withs) WITH ORDINALITY
               AS e (id, lane, position, read_lane, read_position, learned, resource_id, resource_name, fails_dependents,
                     success, failure, code, message, marked, failed_with, number)
         WHERE only_numbers IS NULL OR e.number = ANY (only_numbers)
    ), entry AS (
        SELECT lane, position, true AS writes, id, learned, resource_id, resource_name, fails_dependents FROM ended
         UNION ALL
        SELECT read_lane, read_position, false, NULL, false, NULL, NULL, false FROM ended WHERE read_lane IS NOT NULL
    ), gone AS (
        DELETE FROM lane_entry p USING entry e WHERE p.lane = e.lane AND p.position = e.position
    ), results AS (
        INSERT INTO result (operation_id, success, failure, code, message, marked, failed_with)
        SELECT id, success, failure, code, message, marked, failed_with FROM ended
    ), change AS (
        SELECT lane AS key, count(*) AS members, count(*) FILTER (WHERE writes) AS writers,
               bool_or(learned) AS learned,
               (array_agg(resource_id ORDER BY position DESC) FILTER (WHERE learned))[1] AS resource_id,
               (array_agg(resource_name ORDER BY position DESC) FILTER (WHERE learned))[1] AS resource_name,
               max(position) FILTER (WHERE fails_dependents) AS position,
               (array_agg(id ORDER BY position DESC) FILTER (WHERE fails_dependents))[1] AS failed_by
          FROM entry
         GROUP BY lane
    ), shared AS (
        -- Fineract gives each number once. If two lanes have the same one, its books were restored or replaced.
        INSERT INTO number_conflict (lane, other_lane, number)
        SELECT c.key, o.key, c.resource_id
          FROM change c
         CROSS JOIN LATERAL (
               SELECT key FROM lane
                WHERE split_part(key, ':', 1) = split_part(c.key, ':', 1)
                  AND resource_epoch = (SELECT epoch FROM books) AND resource_id = c.resource_id AND key <> c.key
               OFFSET 0) o
         WHERE c.resource_id IS NOT NULL
            ON CONFLICT DO NOTHING
     RETURNING lane
    ), released AS (
        UPDATE lane l
           SET members = l.members - c.members,
               writers = l.writers - c.writers,
               resource_id = CASE WHEN c.learned THEN c.resource_id ELSE l.resource_id END,
               resource_name = CASE WHEN c.learned THEN c.resource_name ELSE l.resource_name END,
               resource_epoch = CASE WHEN c.learned THEN (SELECT epoch FROM books) ELSE l.resource_epoch END,
               (failed_by, failed_at, failed_position, failed_below, failure_read) = (
                   -- If the failure before it is unread, the operations behind may depend on that one as well.
                   SELECT CASE WHEN marks THEN c.failed_by ELSE l.failed_by END,
                          CASE WHEN marks THEN now() ELSE l.failed_at END,
                          CASE WHEN marks THEN c.position ELSE l.failed_position END,
                          CASE WHEN marks THEN l.next_position ELSE l.failed_below END,
                          CASE WHEN marks THEN is_known AND NOT is_unread ELSE l.failure_read END
                     FROM (SELECT is_unread,
                                  c.failed_by IS NOT NULL AND NOT (is_unread AND l.failed_position > c.position) AS marks
                             FROM (SELECT l.failed_by IS NOT NULL AND NOT l.failure_read
                                          AND l.failed_at > now() - make_interval(secs => mark_seconds) AS is_unread) u) m),
               failing_dependents = l.failing_dependents OR (c.failed_by IS NOT NULL AND l.members > c.members)
          FROM change c
         WHERE l.key = c.key
     RETURNING l.key, l.failing_dependents, l.members > 0 AS is_used
    )
    SELECT array_agg(key) FILTER (WHERE is_used), COALESCE(bool_or(failing_dependents), false), EXISTS (SELECT FROM shared)
      INTO used, has_dependents, has_number_conflict
      FROM released;
    IF true = ANY (fail_dependents) THEN
        -- A row for each failure that has dependents: a create between two failures separates their dependents.
        INSERT INTO lane_failure (lane, position, below, failed_by)
        SELECT e.lane, e.position, l.next_position, e.id
          FROM unnest(ids, lanes, positions, fail_dependents) WITH ORDINALITY
               AS e (id, lane, position, fails_dependents, number)
          JOIN lane l ON l.key = e.lane AND l.members > 0
         WHERE e.fails_dependents AND (only_numbers IS NULL OR e.number = ANY (only_numbers));
    END IF;
    has_ready := used IS NOT NULL AND admit_lanes(used);
END
$$;
COMMENT ON FUNCTION end_operations IS 'Writes the results of ended operations and releases their lanes, which the caller has locked. Only those whose numbers (from 1) are in only_numbers; NULL: all.';

CREATE FUNCTION complete_operations(
    ids uuid[], attempts integer[], states text[], delays float8[], new_keys boolean[], reason_codes text[],
    all_counts boolean[], are_replied boolean[], statuses smallint[], are_cached boolean[], answers text[], errors text[],
    lanes text[], positions bigint[], read_lanes text[], read_positions bigint[],
    are_learned boolean[], resource_ids bigint[], resource_names text[], fail_dependents boolean[],
    successes text[], failures text[], codes text[], messages text[], locks text[],
    is_repeated boolean, mark_seconds float8,
    OUT leased bigint[], OUT has_ready boolean, OUT has_dependents boolean, OUT has_number_conflict boolean
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
SET lock_timeout = '250ms'
AS $$
#variable_conflict use_column
DECLARE
    ended bigint[];
BEGIN
    PERFORM FROM lane WHERE key = ANY (locks) ORDER BY key FOR NO KEY UPDATE;
    -- The answer is evidence, so it is stored even if another worker has the operation by now.
    UPDATE attempt a
       SET answered_at = now(), status = r.status, cached = r.cached, answer = r.answer, error = r.error
      FROM unnest(ids, attempts, are_replied, statuses, are_cached, answers, errors)
           AS r (id, number, replied, status, cached, answer, error)
     WHERE r.replied AND a.operation_id = r.id AND a.number = r.number AND a.answered_at IS NULL;
    WITH completed AS (
        UPDATE operation o
           SET state = s.state,
               due_at = CASE s.state WHEN 'ready' THEN now() + make_interval(secs => s.delay) END,
               key_number = o.key_number + s.new_key::int,
               reason_code = s.reason_code,
               -- If the time until now does not count towards parking, as in an outage, the count begins now.
               reason_since = CASE WHEN s.reason_code IS NOT NULL THEN
                   CASE WHEN s.state = 'parked' OR (s.counts IS TRUE AND NOT o.reason_counts) THEN now()
                        ELSE COALESCE(o.reason_since, now()) END END,
               reason_counts = COALESCE(s.counts, o.reason_counts),
               -- An answer that arrived late overrides what an operator believed.
               resolution = CASE WHEN s.state IN ('ready', o.resolution) THEN o.resolution END,
               ended_at = CASE WHEN s.state IN ('succeeded', 'failed') THEN now() END
          FROM unnest(ids, attempts, states, delays, new_keys, reason_codes, all_counts) WITH ORDINALITY
               AS s (id, attempt, state, delay, new_key, reason_code, counts, number)
         WHERE o.id = s.id AND o.attempt = s.attempt AND o.state = 'running'
     RETURNING s.number, o.ended_at IS NOT NULL AS is_ended
    )
    SELECT COALESCE(array_agg(number), '{}'), array_agg(number) FILTER (WHERE is_ended) INTO leased, ended FROM completed;
    IF ended IS NOT NULL THEN
        SELECT e.has_ready, e.has_dependents, e.has_number_conflict
          INTO has_ready, has_dependents, has_number_conflict
          FROM end_operations(ids, lanes, positions, read_lanes, read_positions, are_learned, resource_ids, resource_names,
                              fail_dependents, successes, failures, codes, messages, fail_dependents, '{}',
                              ended, false, mark_seconds) e;
    END IF;
    IF is_repeated THEN
        -- Those that an earlier call with an unanswered commit has written.
        leased := leased || ARRAY(
            SELECT s.number
              FROM unnest(ids, attempts, states) WITH ORDINALITY AS s (id, attempt, state, number)
              JOIN operation o ON o.id = s.id AND o.attempt = s.attempt AND o.state = s.state AND s.state <> 'ready'
             WHERE s.number <> ALL (leased));
        -- What that call has caused is unknown.
        has_ready := true;
        has_dependents := true;
        has_number_conflict := EXISTS (SELECT FROM number_conflict WHERE lane = ANY (locks));
    END IF;
END
$$;
COMMENT ON FUNCTION complete_operations IS 'Writes the completions of attempts. leased: the numbers (from 1) of those whose attempts still had the lease, so that their operations were updated.';

CREATE FUNCTION start_attempts(
    ids uuid[], numbers integer[], key_numbers integer[], methods text[], paths text[], bodies text[],
    preexisted boolean[], currencies text[], pay_off boolean[], may_have_run boolean[], usernames text[],
    all_referents jsonb[], epochs integer[]
)
RETURNS SETOF uuid
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH started AS (
        SELECT *
          FROM unnest(ids, numbers, key_numbers, methods, paths, bodies, preexisted, currencies, pay_off, may_have_run,
                      usernames, all_referents, epochs)
               AS s (id, number, key_number, method, path, body, effect_preexisted, currency, pays_off, may_have_run_before,
                     username, referents, epoch)
    ), leased AS (
        -- Locks the operation, so that nobody claims it or puts it on hold before the commit.
        SELECT o.id
          FROM operation o
          JOIN started s ON o.id = s.id
         WHERE o.attempt = s.number AND o.state = 'running' AND o.due_at > now() AND NOT o.on_hold
           AND (o.expires_at IS NULL OR o.expires_at > now() OR s.may_have_run_before)
           AND s.epoch = (SELECT epoch FROM books)
         ORDER BY o.id
           FOR NO KEY UPDATE OF o
    )
    INSERT INTO attempt (operation_id, number, key_number, method, path, body, effect_preexisted,
                         currency, pays_off, username, referents, epoch)
    SELECT s.id, s.number, s.key_number, s.method, s.path, s.body, s.effect_preexisted,
           s.currency, s.pays_off, s.username, s.referents, s.epoch
      FROM started s
      JOIN leased USING (id)
 RETURNING operation_id;
END
$$;
COMMENT ON FUNCTION start_attempts IS 'Writes attempts that are about to be sent, and returns the operations of those that were written: not those that have lost their lease, are on hold or have expired.';

CREATE FUNCTION read_operations(ids uuid[])
RETURNS TABLE (
    id uuid, type text, state text, ended_at timestamptz, success text, failure text, message text, marked boolean
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
    SELECT o.id, o.type, o.state, o.ended_at, r.success, r.failure, r.message, r.marked
      FROM operation o
      LEFT JOIN result r ON r.operation_id = o.id
     WHERE o.id = ANY (ids);
END
$$;
COMMENT ON FUNCTION read_operations IS 'What track answers for these operations.';

COMMENT ON COLUMN attempt.error IS 'Why there is no answer, as a code: timed_out, closed, not_connected, not_sent (the attempt was committed, but its command was not handed over; it counts as no attempt).';
