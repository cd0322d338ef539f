package social

import (
	"context"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// chosen are the scopes that the options name: what the flags stand for and
// freeform_scopes or, where the options have neither, options.scope.
func (s *Scope) chosen(o strictjson.Document) []string {
	if words, ok := s.computed(o); ok {
		return words
	}
	return distinct(connection.Words(o, "scope"))
}

// computed are the scopes of flags and freeform_scopes; ok is false when the
// options have neither.
func (s *Scope) computed(o strictjson.Document) (words []string, ok bool) {
	for _, f := range s.Flags {
		if _, named := o[f.Option]; !named {
			continue
		}
		ok = true
		if o.Flag(f.Option) && f.Scope != "" {
			words = append(words, f.Scope)
		}
	}
	if o.Has("freeform_scopes") {
		ok = true
		words = append(words, o.Texts("freeform_scopes")...)
	}
	return distinct(words), ok
}

// asked are the scopes of an authorization request; extra are the application's
// (connection_scope).
func (s *Scope) asked(o strictjson.Document, extra []string) []string {
	chosen := s.chosen(o)
	if len(chosen) == 0 {
		chosen = s.Default
	}
	return distinct(slices.Concat(s.Always, chosen, extra))
}

func distinct(words []string) []string {
	var list []string
	for _, w := range words {
		if w = strings.TrimSpace(w); w != "" && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list
}

// Preparer computes options.scope and judges options.endpoints and options.scripts.
type Preparer struct{ provider *Provider }

var _ connection.Preparer = Preparer{}

// Preparers are those of all strategies of the table.
func Preparers() map[string]connection.Preparer {
	m := map[string]connection.Preparer{}
	for name, p := range providers {
		m[name] = Preparer{p}
	}
	return m
}

// Prepare sets the flags that the strategy always has, and writes the computed scope
// (reference/connections.md §1.5) in the form that it has there; without any flag it
// is empty. Options without a flag and without freeform_scopes keep the scope they
// were sent with.
func (w Preparer) Prepare(_ context.Context, _ string, stored, next strictjson.Document) (strictjson.Document, error) {
	p := w.provider.of(next)
	if name := badEndpoint(next); name != "" {
		return nil, errs.New(errs.Invalid, "invalid_body", "options.endpoints.%s must be an http or https URL", name)
	}
	if name, known := p.unknownEndpoint(next); name != "" {
		return nil, errs.New(errs.Invalid, "invalid_body", "options.endpoints.%s is no endpoint of this connection; there are %s", name, strings.Join(known, ", "))
	}
	if err := readable(stored, next); err != nil {
		return nil, err
	}
	words, ok := p.Scope.computed(next)
	if !ok && next.Has("scope") || p.Scope.Stored == NotStored {
		return next, nil
	}
	for _, name := range p.Scope.Filled {
		if _, sent := next[name]; !sent {
			next[name], ok = profile.Bool(true), true
		}
	}
	switch {
	case ok:
		words, _ = p.Scope.computed(next)
		words = distinct(slices.Concat(p.Scope.Always, words))
	case p.Scope.Stored == SpacedText:
		return next, nil // Apple's connections show none
	}
	switch p.Scope.Stored {
	case Array:
		next["scope"] = profile.Texts(words)
	case CommaText:
		next["scope"] = profile.Text(strings.Join(words, ","))
	case SpacedText:
		next["scope"] = profile.Text(strings.Join(words, " "))
	}
	return next, nil
}
