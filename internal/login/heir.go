package login

import (
	"context"

	"mangrove/internal/connection"
	"mangrove/internal/upstream"
)

// heir is who serves a login that a provider answered: the connection itself, or
// an enterprise's own to which the person belongs (reference/connections.md §4.6),
// where the application has that one, too: with one that it does not have, the
// session that came of it would be of no use there.
func (f *Flow) heir(ctx context.Context, c *connection.Connection, clientID string, result upstream.Result) (*connection.Connection, upstream.Result, error) {
	for strategy, k := range f.d.Connectors {
		h, ok := k.(upstream.Heir)
		if !ok || h.Inherits() != c.Strategy {
			continue
		}
		filter, next := connection.Filter{Strategies: []string{strategy}}, connection.Page{Limit: 100}
		for {
			list, _, err := f.d.Connections.Connections(ctx, filter, next)
			if err != nil {
				return c, result, err
			}
			for _, own := range list {
				if !own.Active() || !own.EnabledFor(clientID) {
					continue
				}
				claims, ok, err := h.Inherit(ctx, own, result.Claims)
				if err != nil {
					return own, result, err
				}
				if ok {
					result.Claims = claims
					return own, result, nil
				}
			}
			if len(list) < next.Limit {
				break
			}
			next.After = list[len(list)-1].ID
		}
	}
	return c, result, nil
}
