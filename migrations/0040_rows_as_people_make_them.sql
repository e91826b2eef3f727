-- What a row that was refused at the door named, so that it can be compared when it comes back from a
-- spreadsheet; its deadline; and Fineract's own words in the message of a row that failed there.
-- No constraint empties the columns when the row runs: a gateway from before does not know them.

ALTER TABLE batch_row
    ADD COLUMN names json,
    ADD COLUMN expires_at timestamptz;

COMMENT ON COLUMN batch_row.names IS 'Of a refused row whose payload is not kept: the fields by which it names clients, loans and payments.';
COMMENT ON COLUMN batch_row.expires_at IS 'Of a refused row: until when it might have been sent.';

-- Fineract's sentences about what is wrong: those of its errors, or the one that stands above them.
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
  LEFT JOIN result f ON f.operation_id = o.id;
