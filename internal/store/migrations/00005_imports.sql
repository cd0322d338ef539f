-- +goose Up

ALTER TABLE jobs ADD COLUMN started_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN canceled_at BIGINT NOT NULL DEFAULT 0;

-- What became of the rows of an import: a row here is a batch.
CREATE TABLE job_outcomes (
    job_id TEXT_C NOT NULL,
    n BIGINT NOT NULL,     -- position of its first row in the file, from 1
    lines BYTEA NOT NULL,  -- NDJSON, deflated and sealed
    PRIMARY KEY (job_id, n)
);

-- What the rows of a dry run would have taken, for the rows that follow.
-- An empty user_id is a name that an update would have given back.
CREATE TABLE job_seen (
    job_id TEXT_C NOT NULL,
    scope TEXT_C NOT NULL,
    kind TEXT_C NOT NULL,
    value TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    PRIMARY KEY (job_id, scope, kind, value)
) CLUSTERED;
