-- +goose Up

-- What the Management API edits of the installation as a whole, a document by name.
CREATE TABLE tenant_documents (
    name TEXT_C NOT NULL PRIMARY KEY,
    doc BYTEA NOT NULL, -- sealed; empty: nothing was set yet
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) ROOM;

-- Public keys with which clients prove who they are.
CREATE TABLE client_credentials (
    client_id TEXT_C NOT NULL,
    credential_id TEXT_C NOT NULL,
    kid TEXT_C NOT NULL,
    name TEXT NOT NULL,
    alg TEXT NOT NULL,
    public BYTEA NOT NULL, -- SubjectPublicKeyInfo, DER
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, credential_id)
);
CREATE UNIQUE INDEX client_credentials_by_kid ON client_credentials (client_id, kid);

-- Assertions that were used, until they could not be used any more.
CREATE TABLE client_assertions (
    assertion_hash TEXT_C NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX client_assertions_by_end ON client_assertions (expires_at);

-- When a key came into its state; zero: when it was made.
ALTER TABLE signing_keys ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
