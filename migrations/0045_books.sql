-- Whose books the numbers are of. A number that Fineract gave means nothing in other books, and little after
-- Fineract was restored: so beside each number stands what it meant.

CREATE TABLE books (
    is_it    boolean     PRIMARY KEY DEFAULT true,
    epoch    integer     NOT NULL DEFAULT 1,
    began_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT books_one CHECK (is_it)
);
INSERT INTO books DEFAULT VALUES;

COMMENT ON TABLE books IS 'Fineract''s books, as this database knows them: one row.';
COMMENT ON COLUMN books.epoch IS 'Raised when an operator confirms that Fineract''s books are others than before: numbers and attempts of an earlier epoch are not used any more.';
COMMENT ON COLUMN books.began_at IS 'When the epoch began.';

ALTER TABLE lane
    ADD COLUMN resource_name text,
    ADD COLUMN resource_epoch integer NOT NULL DEFAULT 1;

COMMENT ON COLUMN lane.resource_name IS 'The external id as it was sent by the create that taught resource_id: the lane''s key is case-folded, Fineract''s ids are not. NULL where an older gateway learned the number.';
COMMENT ON COLUMN lane.resource_epoch IS 'The epoch of the books in which resource_id was learned; in another one it counts for nothing.';

-- Whose number it is; and the newest clients, which are looked at to see whose books these are.
CREATE INDEX lane_number ON lane (split_part(key, ':', 1), resource_epoch, resource_id) WHERE resource_id IS NOT NULL;

CREATE TABLE number_conflict (
    lane       text COLLATE "C" NOT NULL,
    other_lane text COLLATE "C" NOT NULL,
    number     bigint      NOT NULL,
    found_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, other_lane, number)
);

COMMENT ON TABLE number_conflict IS 'Two lanes that learned one number of Fineract''s, which gives each but once: its books were restored, or are others.';
COMMENT ON COLUMN number_conflict.lane IS 'The lane that learned it last.';
COMMENT ON COLUMN number_conflict.other_lane IS 'The lane that had learned it before.';
COMMENT ON COLUMN number_conflict.number IS 'The number.';
COMMENT ON COLUMN number_conflict.found_at IS 'When it was found.';

CREATE TABLE confirmed_number (
    lane         text COLLATE "C" NOT NULL,
    number       bigint      NOT NULL,
    external_id  text COLLATE "C" NOT NULL,
    epoch        integer     NOT NULL,
    operator     text        NOT NULL,
    reason       text        NOT NULL,
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, number, external_id, epoch)
);

COMMENT ON TABLE confirmed_number IS 'Clients and loans that were given another external id in the back office, as an operator has made sure: their numbers still mean them.';
COMMENT ON COLUMN confirmed_number.lane IS 'The lane of the client or loan.';
COMMENT ON COLUMN confirmed_number.number IS 'Its number.';
COMMENT ON COLUMN confirmed_number.external_id IS 'The external id that Fineract shows under the number now.';
COMMENT ON COLUMN confirmed_number.epoch IS 'The epoch of the books for which this holds.';
COMMENT ON COLUMN confirmed_number.operator IS 'The name of the token.';
COMMENT ON COLUMN confirmed_number.reason IS 'Why it is the same, in the operator''s words.';
COMMENT ON COLUMN confirmed_number.confirmed_at IS 'When that was said.';

ALTER TABLE attempt
    ADD COLUMN referents jsonb,
    ADD COLUMN epoch integer NOT NULL DEFAULT 1;

COMMENT ON COLUMN attempt.referents IS 'What the numbers in the command meant when it was planned, so that it can be seen before it is sent again whether they still do: kind, number, name. NULL where an older gateway sent it.';
COMMENT ON COLUMN attempt.epoch IS 'The epoch of the books that it was sent to; it is never sent to others.';

ALTER TABLE audit ALTER COLUMN operation_id DROP NOT NULL;
ALTER TABLE audit DROP CONSTRAINT audit_action;
ALTER TABLE audit ADD CONSTRAINT audit_action
    CHECK (action IN ('cancel', 'retry', 'resolve', 'hold', 'release', 'confirm_number', 'confirm_books')) NOT VALID;
COMMENT ON COLUMN audit.operation_id IS 'The operation; NULL where the action was about more than one.';
