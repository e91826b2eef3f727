-- Counts of failures by type and by lender are read in this index alone. The failures lie on pages far apart, so with
-- operation_failed (0004), each failure that was counted cost a page. A later release drops operation_failed, which this
-- index replaces: a DROP here would wait for every reader of `operation`, and all acceptances would wait behind it.
CREATE INDEX IF NOT EXISTS operation_failure ON operation (ended_at, id) INCLUDE (type, lender)
    WHERE state = 'failed';
