-- Few operations run another one again, but each row that is claimed or settled had its NULL written into this index.

ALTER TABLE operation DROP CONSTRAINT operation_retry_of_key;
CREATE UNIQUE INDEX operation_retry_of ON operation (retry_of) WHERE retry_of IS NOT NULL;
