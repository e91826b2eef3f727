-- The operators' page: sessions, sign-in links and saved views.

CREATE TABLE ops_session (
    digest bytea NOT NULL,
    kind text NOT NULL,
    operator text NOT NULL,
    proof bytea NOT NULL,
    started_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT ops_session_pkey PRIMARY KEY (digest),
    CONSTRAINT ops_session_kind CHECK (kind IN ('session', 'link')),
    CONSTRAINT ops_session_digests CHECK (octet_length(digest) = 32 AND octet_length(proof) = 32)
);
COMMENT ON TABLE ops_session IS 'The operators who are signed in to the page, and the links with which an operator can sign in once.';
COMMENT ON COLUMN ops_session.digest IS 'SHA-256 of the secret in the cookie or in the link. The secret itself is not stored.';
COMMENT ON COLUMN ops_session.operator IS 'The name of the operators token.';
COMMENT ON COLUMN ops_session.proof IS 'SHA-256 of the secret followed by the digest of the operators token. When the token is removed from OPS_TOKENS, no token has this proof, and the session is over.';
-- Signing an operator out everywhere.
CREATE INDEX ops_session_operator ON ops_session (operator);
-- Removing what has expired.
CREATE INDEX ops_session_expires ON ops_session (expires_at);

-- Seeing people's data on the page is an action.
ALTER TABLE audit
    DROP CONSTRAINT audit_action,
    ADD CONSTRAINT audit_action CHECK (
        action IN ('cancel', 'retry', 'resolve', 'hold', 'release', 'confirm_number', 'confirm_books', 'end_hold',
                   'start_repair', 'stop_repair', 'reveal')
    );

CREATE TABLE ops_view (
    name text NOT NULL,
    filter text NOT NULL,
    saved_by text NOT NULL,
    saved_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ops_view_pkey PRIMARY KEY (name),
    CONSTRAINT ops_view_lengths CHECK (length(name) BETWEEN 1 AND 60 AND length(filter) BETWEEN 1 AND 500)
);
COMMENT ON TABLE ops_view IS 'Filters of the list of operations that operators saved under a name, for all operators.';
