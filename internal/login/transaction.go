package login

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// trip is what a login remembers of the way that the person chose.
type trip struct {
	// ConnectionID is the connection chosen last.
	ConnectionID string `json:"connection_id,omitzero"`
	// Tag is the hash of the second part of the state that went to the provider;
	// empty: nobody was sent away. Each trip has its own, so that an answer to an
	// earlier one, perhaps of another provider, is not taken for this one's.
	Tag     string           `json:"tag,omitzero"`
	Pending upstream.Pending `json:"pending,omitzero"`
}

// progress is how far a login has come (session.Transaction.Progress). Nothing
// of it is ever taken from a form.
type progress struct {
	trip
	// Identifier is what was typed at the first step.
	Identifier string `json:"identifier,omitzero"`
	// UserID is set once a first factor was proven.
	UserID string `json:"user_id,omitzero"`
	// Methods are the proofs so far (session.Password, …).
	Methods []string `json:"methods,omitzero"`
	// AuthTime is when the first of them was given, microseconds.
	AuthTime int64 `json:"auth_time,omitzero"`
	// Passed are those of the request (oauth.AuthorizeRequest).
	Passed map[string]string `json:"passed,omitzero"`
	// Foreign is the session at the provider that proved the person.
	Foreign session.Foreign `json:"foreign,omitzero"`
	// SessionID is the session that this login has: its own, or one that was there.
	SessionID string `json:"session_id,omitzero"`
	// Done are the steps that were passed over.
	Done []string `json:"done,omitzero"`
	// Scratch is what a step has to remember, by the name of the step.
	Scratch map[string]json.RawMessage `json:"scratch,omitzero"`
}

func (g *progress) done(step string) bool { return slices.Contains(g.Done, step) }

// put remembers a step's own state; nil forgets it.
func (g *progress) put(step string, v any) error {
	if v == nil {
		delete(g.Scratch, step)
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("state of step %s: %w", step, err)
	}
	if g.Scratch == nil {
		g.Scratch = map[string]json.RawMessage{}
	}
	g.Scratch[step] = raw
	return nil
}

// get reads what put remembered; false: there is nothing.
func (g *progress) get(step string, v any) (bool, error) {
	raw, ok := g.Scratch[step]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("state of step %s: %w", step, err)
	}
	return true, nil
}

// pass is a transaction opened by the browser that began it. Code that holds
// one need not check again.
type pass struct {
	id     string // the state
	t      session.Transaction
	stored bool // the store has it
	req    oauth.AuthorizeRequest
	prog   progress
	client *client.Client
	// unasked: the provider began it, and the connection has to allow that to the end.
	unasked bool
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
	if len(t.Progress) > 0 {
		if err := json.Unmarshal(t.Progress, &p.prog); err != nil {
			return nil, fmt.Errorf("stored progress of a login: %w", err)
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

// opened is open for the state in the query.
func (f *Flow) opened(r *http.Request) (*pass, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	return f.open(r, q.Get("state"))
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

// save remembers the progress. A transaction that is already stored is taken
// first: saving over it could bring back one that another request has just ended.
func (f *Flow) save(ctx context.Context, p *pass) error {
	raw, err := json.Marshal(p.prog)
	if err != nil {
		return fmt.Errorf("progress of a login: %w", err)
	}
	if err := f.take(ctx, p); err != nil {
		return err
	}
	p.t.Progress, p.stored = raw, true
	return f.d.Sessions.SaveTransaction(ctx, p.t)
}

// remember is put and save at once.
func (f *Flow) remember(ctx context.Context, p *pass, step string, v any) error {
	if err := p.prog.put(step, v); err != nil {
		return err
	}
	return f.save(ctx, p)
}

// renew gives the login another state: what was known before somebody proved who
// they are is worth nothing afterwards.
func (f *Flow) renew(ctx context.Context, p *pass) error {
	id, err := f.secret()
	if err != nil {
		return err
	}
	if err := f.take(ctx, p); err != nil {
		return err
	}
	p.id, p.t.Hash = id, hash(id)
	return f.save(ctx, p)
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
	return id, tag, ok && wellFormed(id) && encodes(tag, tagBytes)
}

func joinState(id, tag string) string { return id + "." + tag }
