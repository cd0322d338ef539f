-- +goose Up

-- Keys by which connections prove themselves to their providers (private_key_jwt):
-- of each connection at most one current, next and previous.
CREATE TABLE connection_keys (
    connection_id TEXT_C NOT NULL,
    state TEXT_C NOT NULL,
    key_id TEXT_C NOT NULL,
    alg TEXT_C NOT NULL,
    private BYTEA NOT NULL, -- sealed
    cert BYTEA NOT NULL,
    current_since BIGINT NOT NULL,
    current_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, state)
) CLUSTERED;
