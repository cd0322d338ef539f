-- +goose Up

-- TEXT_C orders and compares by bytes on both engines. CLUSTERED keeps a table
-- of small rows in its primary key. ROOM leaves space for updates in place.
-- Times are microseconds since 1970, UTC; zero is "never". No column is null.

CREATE TABLE meta (
    name TEXT_C NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
) CLUSTERED;

-- The pieces of a user are stored as they go to the wire (attributes,
-- identities); what the wire does not show stands beside them.
CREATE TABLE users (
    user_id TEXT_C NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    attributes BYTEA NOT NULL,
    sources BYTEA NOT NULL,
    identities BYTEA NOT NULL,
    identity_keys BYTEA NOT NULL,
    connection_id TEXT_C NOT NULL, -- of the primary identity
    email TEXT_C NOT NULL,         -- as in the profile; empty: none
    password_hash TEXT NOT NULL,
    password_set_at BIGINT NOT NULL,
    password_imported BOOLEAN NOT NULL,
    mfa_factors BYTEA NOT NULL,    -- sealed
    import_job TEXT_C NOT NULL,    -- the last import that wrote this user
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) ROOM;
CREATE INDEX users_by_email ON users (email) WHERE email <> '';
CREATE INDEX users_by_connection ON users (connection_id, user_id);

-- A login that changes nothing in the profile touches this row only.
CREATE TABLE user_logins (
    user_id TEXT_C NOT NULL PRIMARY KEY,
    last_login BIGINT NOT NULL,
    last_ip TEXT NOT NULL,
    logins_count BIGINT NOT NULL
) CLUSTERED_ROOM;

CREATE TABLE identities (
    connection_id TEXT_C NOT NULL,
    subject TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    claims BYTEA NOT NULL,
    claims_at BIGINT NOT NULL,
    tokens BYTEA NOT NULL, -- sealed
    PRIMARY KEY (connection_id, subject)
) CLUSTERED_ROOM;

-- Sign-in names, unique within their scope, which is a connection of ours.
CREATE TABLE user_identifiers (
    scope TEXT_C NOT NULL,
    kind TEXT_C NOT NULL,
    value TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    PRIMARY KEY (scope, kind, value)
) CLUSTERED;
CREATE INDEX user_identifiers_by_user ON user_identifiers (user_id);

CREATE TABLE connections (
    connection_id TEXT_C NOT NULL PRIMARY KEY,
    name TEXT_C NOT NULL,
    strategy TEXT_C NOT NULL,
    options BYTEA NOT NULL, -- sealed
    extra BYTEA NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL -- zero: alive; otherwise its users are being removed
);
CREATE UNIQUE INDEX connections_by_name ON connections (name);

CREATE TABLE connection_realms (
    realm TEXT_C NOT NULL PRIMARY KEY,
    connection_id TEXT_C NOT NULL,
    ordinal BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX connection_realms_by_connection ON connection_realms (connection_id, ordinal);

CREATE TABLE connection_clients (
    connection_id TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    ordinal BIGINT NOT NULL,
    PRIMARY KEY (connection_id, client_id)
) CLUSTERED;
CREATE INDEX connection_clients_by_client ON connection_clients (client_id);

CREATE TABLE clients (
    client_id TEXT_C NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL, -- sealed
    name TEXT NOT NULL,
    is_global BOOLEAN NOT NULL,
    doc BYTEA NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE client_grants (
    grant_id TEXT_C NOT NULL PRIMARY KEY,
    client_id TEXT_C NOT NULL,
    audience TEXT_C NOT NULL,
    scope BYTEA NOT NULL, -- JSON array
    extra BYTEA NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX client_grants_by_pair ON client_grants (client_id, audience);
CREATE INDEX client_grants_by_audience ON client_grants (audience);

CREATE TABLE resource_servers (
    resource_server_id TEXT_C NOT NULL PRIMARY KEY,
    identifier TEXT_C NOT NULL,
    is_system BOOLEAN NOT NULL,
    doc BYTEA NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX resource_servers_by_identifier ON resource_servers (identifier);

CREATE TABLE signing_keys (
    key_id TEXT_C NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL,
    private BYTEA NOT NULL, -- sealed
    cert BYTEA NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE codes (
    code_hash TEXT_C NOT NULL PRIMARY KEY,
    doc BYTEA NOT NULL,
    uses BIGINT NOT NULL, -- 0 fresh, 1 redeemed, 2 redeemed again: its tokens are dead
    expires_at BIGINT NOT NULL
) CLUSTERED_ROOM;
CREATE INDEX codes_by_end ON codes (expires_at);

CREATE TABLE opaque_tokens (
    token_hash TEXT_C NOT NULL PRIMARY KEY,
    user_id TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    scope TEXT NOT NULL,
    code_hash TEXT_C NOT NULL,
    expires_at BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX opaque_tokens_by_code ON opaque_tokens (code_hash) WHERE code_hash <> '';
CREATE INDEX opaque_tokens_by_user ON opaque_tokens (user_id);
CREATE INDEX opaque_tokens_by_end ON opaque_tokens (expires_at);

CREATE TABLE sessions (
    session_hash TEXT_C NOT NULL PRIMARY KEY,
    session_id TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    connection_id TEXT_C NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    idle_until BIGINT NOT NULL -- not indexed: it moves with use
) CLUSTERED_ROOM;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE login_transactions (
    transaction_hash TEXT_C NOT NULL PRIMARY KEY,
    browser TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    request BYTEA NOT NULL,
    upstream BYTEA NOT NULL, -- sealed
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_transactions_by_end ON login_transactions (expires_at);

CREATE TABLE jobs (
    job_id TEXT_C NOT NULL PRIMARY KEY,
    type TEXT_C NOT NULL,
    status TEXT_C NOT NULL,
    connection_id TEXT_C NOT NULL,
    connection TEXT NOT NULL,
    params BYTEA NOT NULL,
    failed BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    inserted BIGINT NOT NULL,
    total BIGINT NOT NULL,
    status_details TEXT NOT NULL,
    consumed BIGINT NOT NULL,
    input_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    actor_client_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
) ROOM;
CREATE INDEX jobs_by_status ON jobs (status, created_at);

CREATE TABLE job_input (
    job_id TEXT_C NOT NULL,
    seq BIGINT NOT NULL,
    piece BYTEA NOT NULL, -- sealed
    PRIMARY KEY (job_id, seq)
);

CREATE TABLE job_errors (
    job_id TEXT_C NOT NULL,
    n BIGINT NOT NULL, -- from 1
    supplied BYTEA NOT NULL,
    problems BYTEA NOT NULL,
    PRIMARY KEY (job_id, n)
);

CREATE TABLE logs (
    log_id TEXT_C NOT NULL PRIMARY KEY, -- ordered by time
    type TEXT_C NOT NULL,
    at BIGINT NOT NULL,
    description TEXT NOT NULL,
    client_id TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    connection TEXT NOT NULL,
    connection_id TEXT_C NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    details BYTEA NOT NULL
) CLUSTERED;
