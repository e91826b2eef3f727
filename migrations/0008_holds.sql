-- What an operator has put on hold stays on hold when it runs again as a new operation, whoever runs it again: an
-- operator, a repair, the client of its batch, or an older gateway (docs/adr/0041-a-hold-outlives-a-failure.md).
CREATE FUNCTION keep_on_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    failed operation;
BEGIN
    SELECT * INTO failed FROM operation WHERE id = NEW.retry_of;
    IF failed.on_hold THEN
        NEW.on_hold := true;
        -- On hold alone, or together with what a hold-all has put on hold.
        NEW.hold_all := CASE WHEN failed.hold_all IS NOT NULL THEN COALESCE(NEW.hold_all, failed.hold_all) END;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION keep_on_hold IS 'Puts an operation on hold that runs again one that was on hold when it failed.';
CREATE TRIGGER keep_on_hold BEFORE INSERT ON operation
    FOR EACH ROW WHEN (NEW.retry_of IS NOT NULL) EXECUTE FUNCTION keep_on_hold();
