-- Whose effect it was: the user may be another one by the time that Fineract is read.

ALTER TABLE attempt ADD COLUMN username text;

COMMENT ON COLUMN attempt.username IS 'The user in Fineract that it was sent as (FINERACT_USER); NULL: of a gateway from before this column.';
