-- What takes away what stands in the way of a late command asks for the operations that may have one: few ever do.

CREATE INDEX operation_rekeyed ON operation (lane, position) WHERE key_number > 1;
