-- +goose Up

-- Wrong passwords in a row. subject is a user id, or the digest of a connection and
-- a name that is nobody's, which is counted the same. The row goes with the first
-- right password.
CREATE TABLE login_failures (
    subject TEXT_C NOT NULL,
    address TEXT_C NOT NULL,       -- an IPv4 address or the /64 of an IPv6 one; empty: whatever the address
    identifier TEXT NOT NULL,      -- as it was typed last, folded; empty: nobody's
    connection_id TEXT_C NOT NULL,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (subject, address)
) CLUSTERED_ROOM;
CREATE INDEX login_failures_by_time ON login_failures (last_at);

-- Token buckets. full_at is when the bucket is full again.
CREATE TABLE throttles (
    bucket TEXT_C NOT NULL, -- what is bounded
    who TEXT_C NOT NULL,    -- an address, or a digest
    full_at BIGINT NOT NULL,
    PRIMARY KEY (bucket, who)
) CLUSTERED_ROOM;
CREATE INDEX throttles_by_end ON throttles (full_at);

-- Passwords that were replaced, where a connection remembers them.
CREATE TABLE password_history (
    user_id TEXT_C NOT NULL,
    connection_id TEXT_C NOT NULL,
    set_at BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (user_id, connection_id, set_at)
);
