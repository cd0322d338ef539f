-- +goose Up

-- Second factors, recovery codes and passkeys that were enrolled here; those that
-- an import brought are in users.mfa_factors.
CREATE TABLE factors (
    user_id TEXT_C NOT NULL,
    device TEXT_C NOT NULL,
    kind TEXT_C NOT NULL,
    fingerprint TEXT_C NOT NULL, -- SHA-256 of what must be unique; empty: nothing
    detail BYTEA NOT NULL,       -- sealed
    confirmed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_auth BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,  -- of an enrollment that nobody confirmed
    PRIMARY KEY (user_id, device)
) ROOM;
CREATE UNIQUE INDEX factors_by_fingerprint ON factors (fingerprint) WHERE fingerprint <> '';
CREATE INDEX factors_by_device ON factors (device);
CREATE INDEX factors_by_end ON factors (expires_at) WHERE expires_at <> 0;

-- The last time step that was used of an authenticator application, imported or not.
CREATE TABLE factor_steps (
    user_id TEXT_C NOT NULL,
    device TEXT_C NOT NULL,
    step BIGINT NOT NULL,
    PRIMARY KEY (user_id, device)
) CLUSTERED_ROOM;

-- When a bucket of guesses, or of codes sent, will be full again.
CREATE TABLE factor_guesses (
    user_id TEXT_C NOT NULL,
    kind TEXT_C NOT NULL,
    full_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, kind)
) CLUSTERED_ROOM;
CREATE INDEX factor_guesses_by_end ON factor_guesses (full_at);

-- Codes on their way; one of a device.
CREATE TABLE factor_challenges (
    user_id TEXT_C NOT NULL,
    device TEXT_C NOT NULL,
    challenge_hash TEXT_C NOT NULL,
    code_hash TEXT_C NOT NULL, -- of the code with the secret that is not here
    tries BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, device)
) ROOM;
CREATE UNIQUE INDEX factor_challenges_by_hash ON factor_challenges (challenge_hash);
CREATE INDEX factor_challenges_by_end ON factor_challenges (expires_at);

-- What authenticators call a user, and when the user was last offered a passkey.
CREATE TABLE factor_handles (
    user_id TEXT_C NOT NULL PRIMARY KEY,
    handle TEXT_C NOT NULL,
    offered_at BIGINT NOT NULL
) ROOM;
CREATE UNIQUE INDEX factor_handles_by_handle ON factor_handles (handle) WHERE handle <> '';

CREATE TABLE factor_browsers (
    browser_hash TEXT_C NOT NULL PRIMARY KEY,
    user_id TEXT_C NOT NULL,
    expires_at BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX factor_browsers_by_user ON factor_browsers (user_id);
CREATE INDEX factor_browsers_by_end ON factor_browsers (expires_at);

CREATE TABLE mfa_tokens (
    token_hash TEXT_C NOT NULL PRIMARY KEY,
    user_id TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    grant_doc BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    kept_until BIGINT NOT NULL
);
CREATE INDEX mfa_tokens_by_user ON mfa_tokens (user_id);
CREATE INDEX mfa_tokens_by_end ON mfa_tokens (kept_until);

CREATE TABLE enrollment_tickets (
    ticket_hash TEXT_C NOT NULL PRIMARY KEY,
    user_id TEXT_C NOT NULL,
    doc BYTEA NOT NULL, -- sealed
    expires_at BIGINT NOT NULL
);
CREATE INDEX enrollment_tickets_by_user ON enrollment_tickets (user_id);
CREATE INDEX enrollment_tickets_by_end ON enrollment_tickets (expires_at);
