-- What an operator holds back is not due: with many held, each claim met all of them first.
-- A gateway from before this finds the lenders by reading the whole table while a deployment rolls: slow, not wrong.

DROP INDEX operation_due;
DROP INDEX operation_due_of_lender;
CREATE INDEX operation_due ON operation (due_at, id) WHERE due_at IS NOT NULL AND NOT held AND lender IS NULL;
CREATE INDEX operation_due_of_lender ON operation (lender, due_at, id)
    WHERE due_at IS NOT NULL AND NOT held AND lender IS NOT NULL;
