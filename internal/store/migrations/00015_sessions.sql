-- +goose Up

-- How a session began, by which browser, and whether its cookie outlives it.
ALTER TABLE sessions ADD COLUMN methods TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN persistent BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE sessions ADD COLUMN initial_ip TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN initial_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN last_ip TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN last_agent TEXT NOT NULL DEFAULT '';

-- The clients that were answered with a session. They outlive it until its
-- absolute end, so that they can be told of its early one.
CREATE TABLE session_clients (
    session_id TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, client_id)
) CLUSTERED;
CREATE INDEX session_clients_by_end ON session_clients (expires_at);

ALTER TABLE login_transactions RENAME COLUMN upstream TO progress;
