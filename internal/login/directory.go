package login

import (
	"context"
	"errors"
	"fmt"

	"mangrove/internal/connection"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
	"mangrove/internal/user"
)

// ThroughDirectory signs in by name and password at a directory, for pages and for
// grants, and records what comes of it. A wrong pair is user.ErrWrongPassword, as
// it is of a database.
func (f *Flow) ThroughDirectory(ctx context.Context, c *connection.Connection, name, password string, a user.Actor) (*user.User, error) {
	d, ok := f.d.Connectors[c.Strategy].(upstream.Directory)
	if !ok {
		return nil, upstream.ErrConfig.Because(errors.New("the strategy has no directory"))
	}
	check := func(ctx context.Context, count func(who string) error) (user.Arrival, error) {
		r, err := d.SignIn(ctx, c, name, password, count)
		switch {
		case errors.Is(err, upstream.ErrNobody):
			err = user.ErrWrongPassword.Because(fmt.Errorf("%w: %w", user.ErrNobody, err))
		case errors.Is(err, upstream.ErrWrongCredentials):
			err = user.ErrWrongPassword.Because(err)
		}
		return user.Arrival{Claims: r.Claims, Tokens: r.Tokens}, err
	}
	return f.d.Users.AuthenticateDirectory(ctx, c, name, check, a)
}

// elsewhereRefusal is what the application is told of a login that no other name or
// password would change, where a directory or a custom database has a say; the use case
// has recorded it.
func elsewhereRefusal(by way, err error) (*oauth.AuthorizeError, bool) {
	if err == nil || by.kind != directory && by.c.Class() == profile.Database {
		return nil, false
	}
	return refusal(err)
}

// directoryProblems are what a person can be told, or can wait for. All but the last two
// come after the right password only (upstream.Directory).
var directoryProblems = []struct {
	is      error
	problem page.Problem
}{
	{upstream.ErrAccountDisabled, page.AccountDisabled},
	{upstream.ErrAccountExpired, page.AccountExpired},
	{upstream.ErrPasswordExpired, page.PasswordExpired},
	{upstream.ErrPasswordChange, page.PasswordChange},
	{upstream.ErrUnreachable, page.Unreachable},
	{user.ErrStoreDown, page.NoAnswer},
}
