-- What operators do with single operations, and who did it.

ALTER TABLE operation ADD COLUMN resolution text;

-- NOT VALID: all rows are NULL, so the table need not be read under the lock.
ALTER TABLE operation ADD CONSTRAINT operation_resolution
    CHECK (resolution IN ('succeeded', 'failed') AND state IN ('ready', 'running', resolution)) NOT VALID;

COMMENT ON COLUMN operation.resolution IS 'How an operator says that it ended: a worker ends it so when Fineract agrees, else parks it again, and sends nothing.';

DROP INDEX operation_parked;
CREATE INDEX operation_parked ON operation (why_since, id) WHERE state = 'parked';

CREATE TABLE audit (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    operator     text        NOT NULL,
    action       text        NOT NULL,
    operation_id uuid        NOT NULL,
    request_id   text        NOT NULL,
    detail       json        NOT NULL,
    CONSTRAINT audit_action CHECK (action IN ('cancel', 'retry', 'resolve'))
);

CREATE INDEX audit_operation ON audit (operation_id, id);

COMMENT ON TABLE audit IS 'What operators did, each row written in the transaction of its action.';
COMMENT ON COLUMN audit.operator IS 'The name of the token.';
COMMENT ON COLUMN audit.request_id IS 'The request''s id, by which the log is searched.';
COMMENT ON COLUMN audit.detail IS 'Where the operation stood, and what was asked for: nobody''s data.';
