-- +goose Up

-- Links by mail. One ticket of a purpose for one identity of a user: a newer one
-- replaces it. A used or expired one stays until kept_until, so that a late
-- visitor can be told what happened.
CREATE TABLE tickets (
    ticket_hash TEXT_C NOT NULL PRIMARY KEY,
    purpose TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    connection_id TEXT_C NOT NULL,
    subject TEXT_C NOT NULL,
    doc BYTEA NOT NULL, -- sealed: it holds an address
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    kept_until BIGINT NOT NULL
);
CREATE UNIQUE INDEX tickets_by_identity ON tickets (user_id, purpose, connection_id, subject);
CREATE INDEX tickets_by_end ON tickets (kept_until);
