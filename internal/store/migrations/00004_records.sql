-- +goose Up

CREATE INDEX logs_by_user ON logs (user_id, log_id) WHERE user_id <> '';

-- The types that are left out fill the log by themselves: who looks for one
-- finds it without an index, and writing it costs none.
CREATE INDEX logs_by_rare_type ON logs (type, log_id) WHERE type NOT IN ('sapi', 's', 'ss', 'seacft', 'seccft', 'sepft');

CREATE INDEX sessions_by_id ON sessions (session_id) WHERE session_id <> '';
CREATE INDEX sessions_of_user ON sessions (user_id, created_at, session_id);
DROP INDEX sessions_by_user;
