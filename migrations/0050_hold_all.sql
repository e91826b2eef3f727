-- Everything on hold at once, for every gateway on this database: what comes before a look at what was restored.

CREATE TABLE hold_all (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason           text        NOT NULL,
    held_by          text        NOT NULL,
    since            timestamptz NOT NULL DEFAULT now(),
    covers_all_since timestamptz,
    ended_at         timestamptz,
    ended_by         text,
    end_reason       text,
    CONSTRAINT hold_all_end CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (end_reason IS NULL))
);

CREATE UNIQUE INDEX hold_all_standing ON hold_all ((true)) WHERE ended_at IS NULL;

COMMENT ON TABLE hold_all IS 'The times that everything was put on hold; at most one stands. While it does, what is accepted is on hold from its first moment.';
COMMENT ON COLUMN hold_all.reason IS 'Why, in the words of whoever did it: nobody''s data.';
COMMENT ON COLUMN hold_all.held_by IS 'Who did it.';
COMMENT ON COLUMN hold_all.since IS 'From when on what is accepted is on hold.';
COMMENT ON COLUMN hold_all.covers_all_since IS 'From when on nothing that was there before is claimed or sent either; NULL: not all of it is on hold yet, or whoever did it died at it.';
COMMENT ON COLUMN hold_all.ended_at IS 'From when on what is accepted runs; what is on hold stays so until it is released.';
COMMENT ON COLUMN hold_all.ended_by IS 'The operator who ended it, or whoever put everything on hold once more.';
COMMENT ON COLUMN hold_all.end_reason IS 'Why it was ended.';

ALTER TABLE operation ADD COLUMN hold_all bigint;
ALTER TABLE operation ADD COLUMN read_first boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN operation.held IS 'Whether it is on hold: it keeps its place, is not claimed, and no attempt of it begins.';
COMMENT ON COLUMN operation.hold_all IS 'The hold of everything that it is on hold with; NULL: it is not on hold, or an operator holds back this one.';
COMMENT ON COLUMN operation.read_first IS 'Whether it was there when everything was put on hold: more may have happened to it than this database knows, so it does not end as unsent until Fineract has been read.';

-- Empty, but for what is on hold.
CREATE INDEX operation_on_hold ON operation (accepted_at, id) WHERE held AND ended_at IS NULL;
