-- +goose Up

-- Requests that somebody is asked by mail to approve. The doc is sealed: it holds
-- what the application says to the person.
CREATE TABLE approvals (
    request_hash TEXT_C NOT NULL PRIMARY KEY,
    link_hash TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    session_id TEXT_C NOT NULL, -- empty: nobody has approved
    state TEXT_C NOT NULL,
    doc BYTEA NOT NULL,
    polled_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    kept_until BIGINT NOT NULL
) CLUSTERED_ROOM;
CREATE UNIQUE INDEX approvals_by_link ON approvals (link_hash);
CREATE INDEX approvals_by_user ON approvals (user_id);
CREATE INDEX approvals_by_client ON approvals (client_id, request_hash);
CREATE INDEX approvals_by_end ON approvals (kept_until);

-- What a client had goes with it.
CREATE INDEX refresh_tokens_by_client ON refresh_tokens (client_id, token_hash);
