-- +goose Up

-- The ids of roles and permissions are random and never come again. What is
-- assigned of one that is gone therefore means nothing: reads join, and the
-- sweep takes such rows away in small steps, however many users had it.
CREATE TABLE roles (
    role_id TEXT_C NOT NULL PRIMARY KEY,
    name TEXT_C NOT NULL,
    description TEXT NOT NULL, -- empty: none
    members BIGINT NOT NULL,   -- how many rows role_members has of it
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) ROOM;
CREATE UNIQUE INDEX roles_by_name ON roles (name);

-- A scope of an API, as long as somebody was given it and the API defines it.
-- One of that name that is defined anew later is another one.
CREATE TABLE permissions (
    permission_id TEXT_C NOT NULL PRIMARY KEY,
    resource_server_id TEXT_C NOT NULL,
    name TEXT_C NOT NULL
) CLUSTERED;
CREATE UNIQUE INDEX permissions_by_name ON permissions (resource_server_id, name);

CREATE TABLE role_members (
    role_id TEXT_C NOT NULL,
    user_id TEXT_C NOT NULL,
    PRIMARY KEY (role_id, user_id)
) CLUSTERED;
CREATE INDEX role_members_by_user ON role_members (user_id);

CREATE TABLE role_permissions (
    role_id TEXT_C NOT NULL,
    permission_id TEXT_C NOT NULL,
    PRIMARY KEY (role_id, permission_id)
) CLUSTERED;
CREATE INDEX role_permissions_by_permission ON role_permissions (permission_id);

CREATE TABLE user_permissions (
    user_id TEXT_C NOT NULL,
    permission_id TEXT_C NOT NULL,
    PRIMARY KEY (user_id, permission_id)
) CLUSTERED;
CREATE INDEX user_permissions_by_permission ON user_permissions (permission_id);

-- Roles and permissions that are gone and whose assignments are not yet.
CREATE TABLE withdrawn (
    id TEXT_C NOT NULL PRIMARY KEY
) CLUSTERED;
