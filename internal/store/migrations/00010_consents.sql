-- +goose Up

-- What people allowed applications. resource_server_id is empty where the profile
-- alone was asked for.
CREATE TABLE consents (
    consent_id TEXT_C NOT NULL PRIMARY KEY,
    user_id TEXT_C NOT NULL,
    client_id TEXT_C NOT NULL,
    resource_server_id TEXT_C NOT NULL,
    audience TEXT_C NOT NULL,
    scope BYTEA NOT NULL, -- JSON array
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX consents_by_triple ON consents (user_id, client_id, resource_server_id);
CREATE INDEX consents_by_client ON consents (client_id, consent_id);
CREATE INDEX consents_by_audience ON consents (audience, consent_id);
CREATE INDEX consents_by_pair ON consents (client_id, audience, consent_id);
CREATE INDEX consents_by_api ON consents (resource_server_id, consent_id);

-- Authorization requests that were sent ahead of the browser.
CREATE TABLE pushed_requests (
    request_hash TEXT_C NOT NULL PRIMARY KEY,
    client_id TEXT_C NOT NULL,
    params BYTEA NOT NULL, -- sealed
    expires_at BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX pushed_requests_by_end ON pushed_requests (expires_at);
