-- Whether Fineract honours our keys, asked per kind of command: all that makes a second send harmless rests on it.

CREATE TABLE key_probe (
    command        text COLLATE "C" PRIMARY KEY,
    honoured       boolean,
    asked_at       timestamptz,
    process_start  text,
    honoured_since timestamptz,
    subject        text COLLATE "C",
    asking_until   timestamptz,
    seen           text,
    doubted        boolean     NOT NULL DEFAULT false,
    CONSTRAINT key_probe_verdict CHECK ((honoured IS NULL) = (asked_at IS NULL)),
    CONSTRAINT key_probe_since CHECK ((honoured IS TRUE) = (honoured_since IS NOT NULL))
);

COMMENT ON TABLE key_probe IS 'The last verdict on a kind of command, for all gateways.';
COMMENT ON COLUMN key_probe.command IS 'The kind of command, by its endpoint: create_client, approve, …';
COMMENT ON COLUMN key_probe.honoured IS 'Whether a command that was sent twice under one key was answered from what is stored; NULL: not known yet.';
COMMENT ON COLUMN key_probe.asked_at IS 'When that was found out: it is asked again after a day.';
COMMENT ON COLUMN key_probe.process_start IS 'The process_start_time_seconds of the Fineract that answered; NULL: it does not show them.';
COMMENT ON COLUMN key_probe.honoured_since IS 'Since when keys have been honoured, as far as is known: what was sent before may not be stored under its key. The start of the first process that did, after none was known or one did not.';
COMMENT ON COLUMN key_probe.subject IS 'The lane of the client or loan on which it was asked: tried first the next time; NULL: on none.';
COMMENT ON COLUMN key_probe.asking_until IS 'Until when one gateway is asking, and the others wait; NULL: none is.';
COMMENT ON COLUMN key_probe.seen IS 'The process_start_time_seconds of the Fineract about which was to be asked, while there is no verdict on it; empty: it does not show them; NULL: there is one.';
COMMENT ON COLUMN key_probe.doubted IS 'Whether a process has gone, since the verdict, of which nobody had found out: what was sent to it may be stored under no key.';
