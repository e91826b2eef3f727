-- A create ends what a failure before it covers, so that more than one failure of a lane may have operations behind
-- it that are still to be ended: each is kept until its own are.

CREATE TABLE lane_failure (
    lane      text COLLATE "C" NOT NULL,
    position  bigint NOT NULL,
    below     bigint NOT NULL,
    failed_by uuid   NOT NULL,
    PRIMARY KEY (lane, position)
);

COMMENT ON TABLE lane_failure IS 'A failure whose dependents are still to be ended. Written and removed under the lane''s lock; nothing in the lane is granted while it has any.';
COMMENT ON COLUMN lane_failure.position IS 'Where the operation that failed stood.';
COMMENT ON COLUMN lane_failure.below IS 'Operations behind it at a smaller position than this, and before the first create, fail with it.';

COMMENT ON COLUMN lane.failed_by IS 'The failure on which what is accepted now depends, until it is read: of several the one furthest back.';

INSERT INTO lane_failure (lane, position, below, failed_by)
SELECT key, failed_position, failed_below, failed_by FROM lane WHERE falling;
