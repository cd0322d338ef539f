-- +goose Up

-- Mails on their way. Whoever sends one moves due_at into the future first: that
-- is the lease, and behind a failure the pause.
CREATE TABLE letters (
    letter_id TEXT_C NOT NULL PRIMARY KEY,
    letter BYTEA NOT NULL, -- sealed
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    fence BIGINT NOT NULL
) CLUSTERED_ROOM;
CREATE INDEX letters_by_time ON letters (due_at);
