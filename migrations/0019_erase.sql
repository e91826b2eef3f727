-- Erasing people's data is an action.

-- Everybody who uses a table waits behind the lock that waits for it: rather fail, and be started again.
SET LOCAL lock_timeout = '2s';

ALTER TABLE audit
    DROP CONSTRAINT audit_action,
    ADD CONSTRAINT audit_action CHECK (
        action IN ('cancel', 'retry', 'resolve', 'hold', 'release', 'confirm_number', 'confirm_books', 'end_hold',
                   'start_repair', 'stop_repair', 'reveal', 'resend_webhooks', 'create_key', 'rotate_key', 'revoke_key',
                   'erase')
    ) NOT VALID;
