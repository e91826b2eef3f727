-- Who sends again "all that failed" must not send what failed with something that is not sent again.

ALTER TABLE result ADD COLUMN failed_with uuid;

COMMENT ON COLUMN result.failed_with IS 'The operation whose failure this one failed with, unsent.';
