-- +goose Up

-- What an application keeps with a session: a JSON object of texts; empty: nothing.
ALTER TABLE sessions ADD COLUMN metadata TEXT NOT NULL DEFAULT '';

-- A letter goes with the user whom it is about; empty: it is about nobody.
ALTER TABLE letters ADD COLUMN user_id TEXT_C NOT NULL DEFAULT '';
CREATE INDEX letters_by_user ON letters (user_id);
