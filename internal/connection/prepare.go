package connection

import (
	"context"

	"mangrove/internal/strictjson"
)

// Preparer completes the options of a strategy when they are written: what
// metadata says, what follows from other options (the scope from flags). It may
// ask the network, and is called outside of any transaction.
type Preparer interface {
	// Prepare returns the options to be stored. stored is nil for a new connection;
	// next are the options with everything else settled, which Prepare may change.
	// Errors are *errs.Error of kind errs.Invalid.
	Prepare(ctx context.Context, name string, stored, next strictjson.Document) (strictjson.Document, error)
}

func (s *Service) prepare(ctx context.Context, strategy, name string, stored, next strictjson.Document) (strictjson.Document, error) {
	next, err := withLegalIdentity(strategy, stored, next)
	if err != nil {
		return nil, err
	}
	p := s.Preparers[strategy]
	if p == nil {
		return next, nil
	}
	return p.Prepare(ctx, name, stored, next)
}
