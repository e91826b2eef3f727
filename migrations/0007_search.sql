-- The search for a UTR (`GET /fineract/operations?q=…`) reads the newest operations with it, so the index has their order.
-- With the index on the UTR alone (payload_any_reference), Postgres read all payloads in the order of their ids instead:
-- it does not know how rare a UTR is. A later release drops that index: a DROP here would wait for every reader of
-- `payload`, and all acceptances would wait behind it.
CREATE INDEX IF NOT EXISTS payload_newest_reference ON payload (plain_reference(reference), operation_id)
    WHERE reference IS NOT NULL;
