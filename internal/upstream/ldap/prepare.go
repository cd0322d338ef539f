package ldap

import (
	"context"
	"encoding/json"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// Prepare checks options.ldap. A PATCH that does not name it leaves it as it was:
// tools that know the reference's options only would switch everybody off.
// null takes it away. No server is asked: it may be down when it is set up.
func (*Connector) Prepare(_ context.Context, _ string, stored, next strictjson.Document) (strictjson.Document, error) {
	if _, sent := next[optionsName]; !sent && stored.Has(optionsName) {
		next[optionsName] = stored[optionsName]
	}
	if !next.Has(optionsName) {
		delete(next, optionsName)
		return next, nil
	}
	if _, err := parseOptions(next[optionsName]); err != nil {
		return nil, errs.New(errs.Invalid, "invalid_body", "%s", err.Error())
	}
	return next, nil
}

var _ connection.Preparer = (*Connector)(nil)

// optionsOf is options.ldap of a connection.
func optionsOf(all json.RawMessage) (*options, error) {
	return parseOptions(strictjson.ParseDocument(all)[optionsName])
}
