-- What an operator has seen for himself in Fineract's list for checkers, where Fineract cannot show it.

ALTER TABLE operation ADD COLUMN nothing_waits boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN operation.nothing_waits IS 'Whether the operator who says that it failed has made sure that no command of it waits for a checker: believed of what was sent to other books.';
