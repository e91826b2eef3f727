-- Which deaths of a process count against an operation, and which troubles count towards parking it.

ALTER TABLE operation ADD COLUMN deaths smallint NOT NULL DEFAULT 0;
ALTER TABLE operation ADD COLUMN begun integer;
ALTER TABLE operation ADD COLUMN why_counts boolean NOT NULL DEFAULT true;

COMMENT ON COLUMN operation.lost IS 'Claims that ended with their process after an attempt was committed.';
COMMENT ON COLUMN operation.deaths IS 'Claims that ended with their process, or in a panic, before any attempt was committed; from the second on, only those that were begun.';
COMMENT ON COLUMN operation.begun IS 'The claim that was begun alone, because earlier ones died: the number of its attempt.';
COMMENT ON COLUMN operation.why_counts IS 'Whether the time since why_since counts towards being parked: not during an outage.';
