-- +goose Up

-- What is known of people who move in from an old store, counted by connection. Names
-- are spread over a few rows, so that people who sign in at once do not wait for each
-- other. known, failing and differing are how many rows of custom_database_people are
-- in that state; every connection that has rows there, or graves, has one here.
CREATE TABLE custom_database_progress (
    connection_id TEXT_C NOT NULL,
    stripe BIGINT NOT NULL,
    migrated BIGINT NOT NULL,
    known BIGINT NOT NULL,
    failing BIGINT NOT NULL,
    differing BIGINT NOT NULL,
    compared BIGINT NOT NULL,
    same BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    untold BIGINT NOT NULL,         -- notes of people for whom there was no room
    first_at BIGINT NOT NULL,
    last_migration BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    last_error_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, stripe)
) CLUSTERED_ROOM;

-- Who has not moved in yet, or not well.
CREATE TABLE custom_database_people (
    connection_id TEXT_C NOT NULL,
    name TEXT_C NOT NULL,
    state TEXT_C NOT NULL,
    reason TEXT NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, name)
) CLUSTERED;
CREATE INDEX custom_database_people_by_state ON custom_database_people (connection_id, state, name);

-- Keyed digests of users who were deleted here, whom the old store may not bring back.
CREATE TABLE custom_database_graves (
    connection_id TEXT_C NOT NULL,
    grave TEXT_C NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, grave)
) CLUSTERED;
