package wsfed

import (
	"context"
	"net/url"

	"mangrove/internal/connection"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// Either is the connector of waad: WS-Federation where the connection is set to it,
// otherwise the other.
type Either struct {
	federated *Connector
	other     upstream.Redirect
}

var (
	_ upstream.Redirect = (*Either)(nil)
	_ upstream.Leaver   = (*Either)(nil)
	_ upstream.Ender    = (*Either)(nil)
)

// Or makes the connector of waad.
func (k *Connector) Or(other upstream.Redirect) *Either { return &Either{k, other} }

// wanted reports whether the options of a waad connection ask for WS-Federation, which
// they can only together with the older identity_api (reference/connections.md §2.8).
func wanted(o strictjson.Document) bool {
	return o.Text("identity_api") == "azure-active-directory-v1.0" && (o.Flag("use_wsfed") || o.Text("waad_protocol") == "ws-federation")
}

func (e *Either) of(c *connection.Connection) upstream.Redirect {
	if wanted(c.Document()) {
		return e.federated
	}
	return e.other
}

// Depart is upstream.Redirect's.
func (e *Either) Depart(ctx context.Context, c *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	return e.of(c).Depart(ctx, c, s)
}

// Callback is upstream.Redirect's.
func (e *Either) Callback(ctx context.Context, c *connection.Connection, s upstream.Start, p upstream.Pending, got url.Values) (upstream.Result, error) {
	return e.of(c).Callback(ctx, c, s, p, got)
}

// Leave is upstream.Leaver's; ok is false when the other is no Leaver.
func (e *Either) Leave(ctx context.Context, c *connection.Connection, f session.Foreign, s upstream.Start) (upstream.Departure, bool, error) {
	if l, ok := e.of(c).(upstream.Leaver); ok {
		return l.Leave(ctx, c, f, s)
	}
	return upstream.Departure{}, false, nil
}

// Speaks is upstream.Ender's; the other has no such messages.
func (e *Either) Speaks(m upstream.SignOutMessage) func(*connection.Connection) bool {
	of := e.federated.Speaks(m)
	if of == nil {
		return nil
	}
	return func(c *connection.Connection) bool { return wanted(c.Document()) && of(c) }
}

// ReadSignOut is upstream.Ender's.
func (e *Either) ReadSignOut(ctx context.Context, c *connection.Connection, m upstream.SignOutMessage) (upstream.SignOut, error) {
	return e.federated.ReadSignOut(ctx, c, m)
}

// AnswerSignOut is upstream.Ender's.
func (e *Either) AnswerSignOut(ctx context.Context, c *connection.Connection, m upstream.SignOutMessage, s upstream.SignOut) (upstream.Departure, bool, error) {
	return e.federated.AnswerSignOut(ctx, c, m, s)
}

// EitherPreparer is the connection.Preparer of waad.
type EitherPreparer struct {
	federated *Preparer
	other     connection.Preparer
}

var _ connection.Preparer = (*EitherPreparer)(nil)

// PreparerOr makes the preparer of waad; other may be nil.
func (k *Connector) PreparerOr(other connection.Preparer) *EitherPreparer {
	return &EitherPreparer{k.Preparer("waad"), other}
}

// Prepare is connection.Preparer's. Both see options that ask for WS-Federation: the
// other completes what has nothing to do with the protocol.
func (e *EitherPreparer) Prepare(ctx context.Context, name string, stored, next strictjson.Document) (strictjson.Document, error) {
	var err error
	if e.other != nil {
		if next, err = e.other.Prepare(ctx, name, stored, next); err != nil {
			return nil, err
		}
	}
	if wanted(next) {
		return e.federated.Prepare(ctx, name, stored, next)
	}
	return next, nil
}
