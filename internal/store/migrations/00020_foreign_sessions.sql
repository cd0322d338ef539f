-- +goose Up

-- The session at the identity provider that a session came from. The look-up
-- columns are SHA-256 over the connection and what the provider calls the person,
-- and its session; empty: there is none to find.
ALTER TABLE sessions ADD COLUMN upstream_session TEXT NOT NULL DEFAULT ''; -- sealed, base64
ALTER TABLE sessions ADD COLUMN upstream_name TEXT_C NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN upstream_index TEXT_C NOT NULL DEFAULT '';
CREATE INDEX sessions_by_upstream ON sessions (upstream_name) WHERE upstream_name <> '';
