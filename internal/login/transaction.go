package login

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
)

// errExpired answers every state that is unknown, over, used, or another
// browser's: they look alike from outside.
var errExpired = errs.New(errs.Invalid, "invalid_request",
	"This sign-in has expired, was already used, or was begun in another browser. Please go back to the application and try again.")

// trip is what a transaction remembers of the way that the person chose
// (session.Transaction.Upstream).
type trip struct {
	// ConnectionID is the connection chosen last.
	ConnectionID string `json:"connection_id"`
	// Tag is the hash of the second part of the state that went to the provider;
	// empty: the connection is a database and nobody was sent away. Each trip has
	// its own, so that an answer to an earlier one, perhaps of another provider,
	// is not taken for this one's.
	Tag     string           `json:"tag,omitzero"`
	Pending upstream.Pending `json:"pending,omitzero"`
}

// pass is a transaction opened by the browser that began it. Code that holds
// one need not check again.
type pass struct {
	id     string // the state
	t      session.Transaction
	stored bool // the store has it
	req    oauth.AuthorizeRequest
	trip   trip
	client *client.Client
}

// open finds the transaction of a state, if this browser began it and the
// client is still there.
func (f *Flow) open(r *http.Request, id string) (*pass, error) {
	browser := cookieValue(r, f.browserCookie())
	if !wellFormed(id) || browser == "" {
		return nil, errExpired
	}
	ctx := r.Context()
	t, err := f.d.Sessions.Transaction(ctx, hash(id), f.now())
	if err != nil {
		return nil, expiredIfNone(err)
	}
	if subtle.ConstantTimeCompare([]byte(t.Browser), []byte(hash(browser))) != 1 {
		f.refused(r, t.ClientID, nil, "A sign-in was continued in another browser.")
		return nil, errExpired
	}
	p := &pass{id: id, t: t, stored: true}
	if err := json.Unmarshal(t.Request, &p.req); err != nil {
		return nil, fmt.Errorf("stored authorization request: %w", err)
	}
	if len(t.Upstream) > 0 {
		if err := json.Unmarshal(t.Upstream, &p.trip); err != nil {
			return nil, fmt.Errorf("stored trip: %w", err)
		}
	}
	p.client, err = f.d.Clients.Client(ctx, p.req.ClientID)
	if err != nil {
		if errs.KindOf(err) == errs.NotFound {
			return nil, errExpired // nothing may be sent to a deleted client's addresses
		}
		return nil, err
	}
	return p, nil
}

// take ends the transaction: of any number of requests one goes on.
func (f *Flow) take(ctx context.Context, p *pass) error {
	if !p.stored {
		return nil
	}
	p.stored = false
	_, err := f.d.Sessions.TakeTransaction(ctx, p.t.Hash, f.now())
	return expiredIfNone(err)
}

// save remembers the trip. A transaction that is already stored is taken first:
// saving over it could bring back one that another request has just ended.
func (f *Flow) save(ctx context.Context, p *pass) error {
	raw, err := json.Marshal(p.trip)
	if err != nil {
		return fmt.Errorf("trip: %w", err)
	}
	if err := f.take(ctx, p); err != nil {
		return err
	}
	p.t.Upstream, p.stored = raw, true
	return f.d.Sessions.SaveTransaction(ctx, p.t)
}

func expiredIfNone(err error) error {
	if errors.Is(err, session.ErrNone) {
		return errExpired
	}
	return err
}

// splitState takes apart what goes to a provider: the transaction's id and the trip's tag.
func splitState(state string) (id, tag string, ok bool) {
	id, tag, ok = strings.Cut(state, ".")
	return id, tag, ok && wellFormed(id) && wellFormed(tag)
}

func joinState(id, tag string) string { return id + "." + tag }
