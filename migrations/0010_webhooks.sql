-- Webhooks: endpoints of callers, and what is delivered to them (docs/adr/0043-webhooks-follow-the-feed.md).

CREATE TABLE webhook_endpoint (
    id uuid NOT NULL,
    owner text NOT NULL COLLATE "C",
    url text NOT NULL,
    description text NOT NULL,
    event_types text[],
    headers json NOT NULL,
    rate integer,
    ordered boolean NOT NULL,
    thin boolean NOT NULL,
    enabled boolean NOT NULL,
    disabled_because text,
    position bigint NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failing_since timestamptz,
    paused_until timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    removed_at timestamptz,
    run_by uuid,
    run_until timestamptz,
    CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (id)
)
WITH (fillfactor = 50);
COMMENT ON TABLE webhook_endpoint IS 'Where callers want to be told of their events.';
COMMENT ON COLUMN webhook_endpoint.owner IS 'Whose events it gets, as event.owner.';
COMMENT ON COLUMN webhook_endpoint.event_types IS 'Which events it gets. NULL: all.';
COMMENT ON COLUMN webhook_endpoint.headers IS 'Headers of its own, which may contain a secret.';
COMMENT ON COLUMN webhook_endpoint.rate IS 'How many deliveries begin in a second at most. NULL: as many as it takes.';
COMMENT ON COLUMN webhook_endpoint.ordered IS 'Whether an event of a lane waits until the one before it was delivered.';
COMMENT ON COLUMN webhook_endpoint.thin IS 'Whether deliveries contain ids only.';
COMMENT ON COLUMN webhook_endpoint.disabled_because IS 'Why the gateway has disabled it. NULL: its owner has, or it is enabled.';
COMMENT ON COLUMN webhook_endpoint.position IS 'Every event up to this number has a delivery if it needs one. The events after it are its backlog.';
COMMENT ON COLUMN webhook_endpoint.failures IS 'How many tries have failed since the last success. Of tries that were under way together, those after the fifth failure do not count.';
COMMENT ON COLUMN webhook_endpoint.removed_at IS 'When its owner removed it. The row stays until its deliveries are deleted, some at a time.';
COMMENT ON COLUMN webhook_endpoint.paused_until IS 'While tries fail, the next one begins after this time.';
COMMENT ON COLUMN webhook_endpoint.run_by IS 'The gateway that delivers to it, until run_until.';
CREATE INDEX webhook_endpoint_owner ON webhook_endpoint (owner, id);

CREATE TABLE webhook_secret (
    endpoint_id uuid NOT NULL,
    secret bytea NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    valid_until timestamptz
);
COMMENT ON TABLE webhook_secret IS 'The keys of the signatures of an endpoint. They are no digests, because the gateway signs with them.';
COMMENT ON COLUMN webhook_secret.valid_until IS 'Until when the gateway signs with it. NULL: it is the newest key.';
CREATE INDEX webhook_secret_endpoint ON webhook_secret (endpoint_id, created_at);

CREATE TABLE webhook_delivery (
    id bigint GENERATED ALWAYS AS IDENTITY,
    endpoint_id uuid NOT NULL,
    number bigint,
    type text NOT NULL,
    body text,
    lane text DEFAULT gen_random_uuid() NOT NULL COLLATE "C",
    due_at timestamptz,
    tries integer DEFAULT 0 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    tried_at timestamptz,
    took_ms integer,
    status integer,
    response text,
    error text,
    delivered_at timestamptz,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_delivery_event UNIQUE (endpoint_id, number),
    CONSTRAINT webhook_delivery_content CHECK ((number IS NULL) = (body IS NOT NULL)),
    CONSTRAINT webhook_delivery_over CHECK (due_at IS NULL OR delivered_at IS NULL)
)
WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
COMMENT ON TABLE webhook_delivery IS 'A delivery of an event to an endpoint: waiting, delivered, or given up.';
COMMENT ON COLUMN webhook_delivery.number IS 'The event. NULL: a message that is about no event.';
COMMENT ON COLUMN webhook_delivery.body IS 'What a message contains that is about no event. The body of an event is made at each try.';
COMMENT ON COLUMN webhook_delivery.lane IS 'The lane or the batch of the event, in which an ordered endpoint gets one after the other. A message that is about no event is alone in its lane.';
COMMENT ON COLUMN webhook_delivery.due_at IS 'When the next try begins. NULL: there is none, because it was delivered or given up.';
COMMENT ON COLUMN webhook_delivery.status IS 'The status that the receiver answered to the last try.';
COMMENT ON COLUMN webhook_delivery.response IS 'The beginning of what it answered.';
COMMENT ON COLUMN webhook_delivery.error IS 'Why the last try failed.';
-- The next deliveries of an endpoint.
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, due_at, id)
    WHERE due_at IS NOT NULL;
-- The first delivery of each lane, for ordered endpoints.
CREATE INDEX webhook_delivery_lane ON webhook_delivery (endpoint_id, lane, number)
    WHERE due_at IS NOT NULL;
-- The log of an endpoint.
CREATE INDEX webhook_delivery_endpoint ON webhook_delivery (endpoint_id, id);
-- What was given up.
CREATE INDEX webhook_delivery_failed ON webhook_delivery (endpoint_id, id)
    WHERE due_at IS NULL AND delivered_at IS NULL;

ALTER TABLE audit
    DROP CONSTRAINT audit_action,
    ADD CONSTRAINT audit_action CHECK (
        action IN ('cancel', 'retry', 'resolve', 'hold', 'release', 'confirm_number', 'confirm_books', 'end_hold',
                   'start_repair', 'stop_repair', 'reveal', 'resend_webhooks')
    );
