-- +goose Up

-- A family of refresh tokens is one row: the texts of a family share a part, whose
-- hash is the key, and only the secrets that are still good are kept (leaves).
CREATE TABLE refresh_tokens (
    token_hash TEXT_C NOT NULL PRIMARY KEY,
    token_id TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    session_id TEXT_C NOT NULL, -- empty: of no session
    code_hash TEXT_C NOT NULL,  -- empty: of no code
    audience TEXT_C NOT NULL,   -- empty: for /userinfo
    doc BYTEA NOT NULL,         -- what never changes
    leaves BYTEA NOT NULL,
    metadata BYTEA NOT NULL,
    initial_ip TEXT NOT NULL,
    initial_agent TEXT NOT NULL,
    last_ip TEXT NOT NULL,
    last_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    exchanged_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, -- zero: never
    idle_until BIGINT NOT NULL, -- zero: never; not indexed: it moves with use
    ended_at BIGINT NOT NULL,   -- zero: alive; otherwise the user lost it
    kept_until BIGINT NOT NULL  -- zero: for ever
) CLUSTERED_ROOM;
CREATE UNIQUE INDEX refresh_tokens_by_id ON refresh_tokens (token_id);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id, created_at, token_id);
CREATE INDEX refresh_tokens_by_user_and_client ON refresh_tokens (user_id, client_id, created_at, token_id);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id) WHERE session_id <> '';
CREATE INDEX refresh_tokens_by_code ON refresh_tokens (code_hash) WHERE code_hash <> '';
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (kept_until) WHERE kept_until <> 0;

CREATE TABLE device_codes (
    device_hash TEXT_C NOT NULL PRIMARY KEY,
    user_code_hash TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,    -- empty: nobody has agreed
    session_id TEXT_C NOT NULL,
    state TEXT_C NOT NULL,
    doc BYTEA NOT NULL,         -- sealed: it holds the code that people type
    polled_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    kept_until BIGINT NOT NULL
) CLUSTERED_ROOM;
CREATE UNIQUE INDEX device_codes_by_user_code ON device_codes (user_code_hash);
CREATE INDEX device_codes_by_user ON device_codes (user_id) WHERE user_id <> '';
CREATE INDEX device_codes_by_end ON device_codes (kept_until);

-- How often somebody typed a code that no device shows, by address.
CREATE TABLE device_guesses (
    origin TEXT_C NOT NULL PRIMARY KEY,
    tries BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
) CLUSTERED_ROOM;
CREATE INDEX device_guesses_by_end ON device_guesses (ends_at);

-- Codes and opaque tokens end with the session that they came of.
ALTER TABLE codes ADD COLUMN user_id TEXT_C NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN session_id TEXT_C NOT NULL DEFAULT '';
CREATE INDEX codes_by_user ON codes (user_id) WHERE user_id <> '';
ALTER TABLE opaque_tokens ADD COLUMN session_id TEXT_C NOT NULL DEFAULT '';
CREATE INDEX opaque_tokens_by_session ON opaque_tokens (session_id) WHERE session_id <> '';
