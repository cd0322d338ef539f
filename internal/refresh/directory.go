package refresh

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/session"
)

// Filter says whose tokens are listed; an empty ClientID is any.
type Filter struct{ UserID, ClientID string }

// ErrNone says that no token has the id.
var ErrNone = errs.New(errs.NotFound, "", "The refresh token does not exist.")

// Step is the most tokens that one read of the store goes through.
const Step = session.Step

// Directory is the tokens as an administrator sees them. Every method is one
// transaction, with its event in it; ending none is no error and no event.
type Directory interface {
	// RefreshTokens is the page of up to limit (at most Step) tokens behind the mark,
	// newest first, those that are over included.
	RefreshTokens(ctx context.Context, f Filter, behind session.Mark, limit int) ([]*Token, error)
	// RefreshTokenByID finds one that is not over by now; ErrNone.
	RefreshTokenByID(ctx context.Context, id string, now int64) (*Token, error)
	// SetRefreshMetadata replaces the metadata; ErrNone.
	SetRefreshMetadata(ctx context.Context, id string, metadata json.RawMessage, now int64, e audit.Event) (*Token, error)
	RevokeRefreshIDs(ctx context.Context, ids []string, e audit.Event) error
	// RevokeRefreshTokens ends those of the user; of one client and one API where
	// they are not empty.
	RevokeRefreshTokens(ctx context.Context, userID, clientID, audience string, e audit.Event) error
	// RevokeSession ends the session of the id, of that user if userID is not empty,
	// and all that was issued in it; keep leaves the refresh tokens.
	RevokeSession(ctx context.Context, id, userID string, keep bool, e audit.Event) error
	// RevokeAccess ends the sessions of the user and all that was issued to whom;
	// keep leaves the refresh tokens.
	RevokeAccess(ctx context.Context, userID string, keep bool, e audit.Event) error
}

// List is up to limit live tokens behind the mark, newest first; more reports
// that there are others behind them.
func List(ctx context.Context, d Directory, f Filter, behind session.Mark, limit int, now int64) (live []*Token, more bool, err error) {
	for {
		step, err := d.RefreshTokens(ctx, f, behind, Step)
		if err != nil {
			return nil, false, err
		}
		for _, t := range step {
			if !t.Live(now) {
				continue
			}
			if len(live) == limit {
				return live, true, nil
			}
			live = append(live, t)
		}
		if len(step) < Step {
			return live, false, nil
		}
		last := step[len(step)-1]
		behind = session.Mark{CreatedAt: last.CreatedAt, ID: last.ID}
	}
}
