-- +goose Up

-- Passkey ceremonies that applications began; each is good for one answer.
CREATE TABLE passkey_sessions (
    session_hash TEXT_C NOT NULL PRIMARY KEY,
    client_id TEXT_C NOT NULL,
    doc BYTEA NOT NULL, -- sealed
    expires_at BIGINT NOT NULL
);
CREATE INDEX passkey_sessions_by_end ON passkey_sessions (expires_at);
