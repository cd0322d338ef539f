package login

import (
	"context"

	"mangrove/internal/connection"
	"mangrove/internal/upstream"
	"mangrove/internal/user"
)

// throughDirectory signs in by name and password at a directory and records the login.
func (f *Flow) throughDirectory(_ context.Context, _ *connection.Connection, _, _ string, _ user.Actor) (*user.User, error) {
	return nil, upstream.ErrConfig
}
