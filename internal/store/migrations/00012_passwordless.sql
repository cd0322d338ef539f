-- +goose Up

-- The last code or link of each recipient of a passwordless connection. One that
-- is used is gone; one that expired, or that nobody was sent, stays until
-- kept_until, for the id that somebody new would get.
CREATE TABLE passwordless_codes (
    connection_id TEXT_C NOT NULL,
    recipient TEXT_C NOT NULL,  -- keyed hash of the address
    local_id TEXT_C NOT NULL,
    code_hash TEXT_C NOT NULL,  -- keyed; empty: nothing was sent
    client_id TEXT_C NOT NULL,
    tries BIGINT NOT NULL,
    doc BYTEA NOT NULL,         -- sealed: what a link asks for
    expires_at BIGINT NOT NULL,
    kept_until BIGINT NOT NULL,
    PRIMARY KEY (connection_id, recipient)
) CLUSTERED_ROOM;
CREATE INDEX passwordless_codes_by_id ON passwordless_codes (local_id, connection_id);
CREATE INDEX passwordless_codes_by_end ON passwordless_codes (kept_until);

-- When everything that was used of a budget is there again.
CREATE TABLE passwordless_budgets (
    name TEXT_C NOT NULL PRIMARY KEY,
    full_at BIGINT NOT NULL
) CLUSTERED_ROOM;
CREATE INDEX passwordless_budgets_by_end ON passwordless_budgets (full_at);
