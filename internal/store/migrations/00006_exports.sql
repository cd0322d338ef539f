-- +goose Up

-- The file that an export made. Each piece knows how far the export is with it.
CREATE TABLE job_output (
    job_id TEXT_C NOT NULL,
    seq BIGINT NOT NULL,         -- from 0
    after_user TEXT_C NOT NULL,  -- the last user who was looked at
    users BIGINT NOT NULL,       -- up to here
    file_bytes BIGINT NOT NULL,  -- up to here, as the file is fetched
    piece BYTEA NOT NULL,        -- sealed
    PRIMARY KEY (job_id, seq)
);
