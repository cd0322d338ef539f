-- +goose Up

-- Users get a number, about in the order in which they come. The search index
-- speaks of users by number, 64 to a row.
CREATE TABLE users_numbered (
    num ROWNUM NOT NULL PRIMARY KEY,
    user_id TEXT_C NOT NULL,
    version BIGINT NOT NULL,
    attributes BYTEA NOT NULL,
    sources BYTEA NOT NULL,
    identities BYTEA NOT NULL,
    identity_keys BYTEA NOT NULL,
    connection_id TEXT_C NOT NULL, -- of the primary identity
    email TEXT_C NOT NULL,         -- as in the profile; empty: none
    password_hash TEXT NOT NULL,
    password_set_at BIGINT NOT NULL,
    password_imported BOOLEAN NOT NULL,
    mfa_factors BYTEA NOT NULL,    -- sealed
    import_job TEXT_C NOT NULL,    -- the last import that wrote this user
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) ROOM;
INSERT INTO users_numbered (num, user_id, version, attributes, sources, identities, identity_keys, connection_id, email,
    password_hash, password_set_at, password_imported, mfa_factors, import_job, created_at, updated_at)
    SELECT 4095 + ROW_NUMBER() OVER (ORDER BY created_at, user_id), user_id, version, attributes, sources, identities, identity_keys,
    connection_id, email, password_hash, password_set_at, password_imported, mfa_factors, import_job, created_at, updated_at FROM users;

-- The login record, and when the profile was last updated as it is shown, which
-- a login moves too. Apart from the user, so that a login writes no profile.
CREATE TABLE user_activity (
    num BIGINT NOT NULL PRIMARY KEY,
    updated_at BIGINT NOT NULL, -- the later of the profile's and last_login
    last_login BIGINT NOT NULL,
    last_ip TEXT_C NOT NULL,
    logins_count BIGINT NOT NULL
) CLUSTERED_ROOM;
INSERT INTO user_activity (num, updated_at, last_login, last_ip, logins_count)
    SELECT u.num, CASE WHEN COALESCE(l.last_login, 0) > u.updated_at THEN l.last_login ELSE u.updated_at END,
    COALESCE(l.last_login, 0), COALESCE(l.last_ip, ''), COALESCE(l.logins_count, 0)
    FROM users_numbered u LEFT JOIN user_logins l ON l.user_id = u.user_id;
CREATE INDEX user_activity_by_update ON user_activity (updated_at);
CREATE INDEX user_activity_by_login ON user_activity (last_login) WHERE last_login <> 0;
CREATE INDEX user_activity_by_count ON user_activity (logins_count) WHERE logins_count <> 0;
CREATE INDEX user_activity_by_ip ON user_activity (last_ip) WHERE last_ip <> '';

DROP TABLE user_logins;
DROP TABLE users;
ALTER TABLE users_numbered RENAME TO users;
CREATE UNIQUE INDEX users_by_id ON users (user_id);
CREATE INDEX users_by_email ON users (email) WHERE email <> '';
CREATE INDEX users_by_connection ON users (connection_id, user_id);

-- The inverted index: who has this value at this path. Bit n of a row is user
-- 64 * chunk + n, so that one row stands for up to 64 users, and adding or
-- removing one needs no look at the row before.
CREATE TABLE user_postings (
    path TEXT_C NOT NULL,
    value TEXT_C NOT NULL,
    chunk BIGINT NOT NULL,
    bits BIGINT NOT NULL,
    PRIMARY KEY (path, value, chunk)
) CLUSTERED_ROOM;

CREATE TABLE counters (
    name TEXT_C NOT NULL PRIMARY KEY,
    n BIGINT NOT NULL
) CLUSTERED;
-- The next user number that nobody has reserved, a multiple of 4096.
INSERT INTO counters (name, n) SELECT 'users', (COALESCE(MAX(num), 0) / 4096 + 1) * 4096 FROM users;
-- Users above this number have no postings yet.
INSERT INTO counters (name, n) SELECT 'unindexed', COALESCE(MAX(num), 0) FROM users;
