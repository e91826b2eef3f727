-- What expires is ended when it does, not when its turn comes: one look every second.

CREATE INDEX operation_expires ON operation (expires_at) WHERE expires_at IS NOT NULL AND ended_at IS NULL;
