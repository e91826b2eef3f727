-- A command that is executed late does harm once what stood in its way is taken away.

ALTER TABLE lane ADD COLUMN rekeyed uuid[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN lane.rekeyed IS 'Operations of the lane that were given a new key: a command under an older one may be executed yet.';
