package server

import (
	"context"
	"errors"

	"mangrove/internal/config"
)

// Migration is what Migrate did.
type Migration struct {
	Engine   string
	From, To int64 // versions; equal when there was nothing to do
}

// Migrate brings the database to the version of this program, and nothing else.
func Migrate(ctx context.Context, cfg config.Config, o Options) (m Migration, err error) {
	o.fill()
	keys, _, err := openKeys(cfg, cfg.SQLite() && !exists(cfg.DatabaseURL()))
	if err != nil {
		return m, err
	}
	db, err := openStore(ctx, cfg, keys, o)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	m.Engine = db.Engine()
	if m.From, m.To, err = db.Version(ctx); err != nil {
		return m, err
	}
	return m, db.Migrate(ctx)
}
