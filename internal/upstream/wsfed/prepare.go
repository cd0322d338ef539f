package wsfed

import (
	"context"
	"errors"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// Preparer completes the options of adfs connections when they are written: from the
// metadata come signInEndpoint, thumbprints and issuer; prev_thumbprints are those of
// before. The options keep what was read then: what the daily reading finds later
// stays in memory (trust.go).
type Preparer struct {
	connector *Connector
	strategy  string
}

var _ connection.Preparer = (*Preparer)(nil)

// Preparer of a strategy.
func (k *Connector) Preparer(strategy string) *Preparer { return &Preparer{k, strategy} }

// Prepare reads the metadata, if the options name any. A provider that does not
// answer is no hindrance to a change of other options.
func (p *Preparer) Prepare(ctx context.Context, _ string, stored, next strictjson.Document) (strictjson.Document, error) {
	o, err := optionsOf(p.strategy, next)
	if err != nil {
		return nil, invalid("%s", err)
	}
	var m metadata
	switch {
	case o.metadataURL != "":
		if m, err = p.connector.fetch(ctx, o.metadataURL); err != nil {
			if p.sameSource(stored, o) {
				return keep(stored, next), nil
			}
			return nil, invalid("the federation metadata cannot be used: %s", causeOf(err))
		}
	case o.metadataXML != "":
		if m, err = parseMetadata(trimmed(o.metadataXML)); err != nil {
			return nil, invalid("fedMetadataXml cannot be used: %s", err)
		}
	default:
		return next, nil // signInEndpoint and thumbprints are set by hand
	}
	before := thumbprintsOf(stored.Texts("thumbprints"))
	now := printsOf(m.certs)
	previous := thumbprintsOf(stored.Texts("prev_thumbprints"))
	if len(before) > 0 && !before.same(now) {
		previous = before
	}
	if next == nil {
		next = strictjson.Document{}
	}
	next["signInEndpoint"] = profile.Text(m.endpoint)
	next["thumbprints"] = profile.Texts(now)
	next["issuer"] = profile.Text(m.issuer)
	if len(previous) > 0 {
		next["prev_thumbprints"] = profile.Texts(previous)
	}
	return next, nil
}

// sameSource reports whether what is stored was read where the options point now.
func (p *Preparer) sameSource(stored strictjson.Document, o options) bool {
	was, err := optionsOf(p.strategy, stored)
	return err == nil && was.metadataURL == o.metadataURL && was.endpoint != "" && len(was.keys) > 0
}

// keep carries over what was read before.
func keep(stored, next strictjson.Document) strictjson.Document {
	for _, name := range []string{"signInEndpoint", "thumbprints", "prev_thumbprints", "issuer"} {
		if stored.Has(name) {
			next[name] = stored[name]
		}
	}
	return next
}

func invalid(format string, args ...any) error {
	return errs.New(errs.Invalid, "invalid_body", format, args...)
}

// causeOf is what was wrong, without the address and what it answered.
func causeOf(err error) string {
	var e *errs.Error
	switch {
	case errors.Is(err, upstream.ErrUnreachable):
		return "the server cannot be reached, or does not answer with 200; an address inside your network has to be in --outbound-allow"
	case errors.As(err, &e) && e.Cause != nil:
		return e.Cause.Error()
	}
	return "it cannot be read"
}
