package store

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations is the text of all migrations, in words of neither engine.
func Migrations() fs.FS { return migrationFiles }

// ErrNewer is a database that a newer binary has migrated.
var ErrNewer = errors.New("the database is of a newer version than this program; run the newer program, or restore a backup that was made before the upgrade")

// Migrate brings the schema to the version of this program. Nodes that start at
// once apply each step once. It is forward only: a newer database is ErrNewer.
func (s *Store) Migrate(ctx context.Context) error {
	have, want, err := s.Version(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("database version %d, program version %d: %w", have, want, ErrNewer)
	case have < want:
		if err := s.migrate(ctx); err != nil {
			return err
		}
	}
	if err := s.checkKey(ctx); err != nil {
		return err
	}
	return s.indexOld(ctx)
}

func (s *Store) migrate(ctx context.Context) error { return s.migrateTo(ctx, math.MaxInt64) }

// migrateTo stops behind a version.
func (s *Store) migrateTo(ctx context.Context, version int64) (err error) {
	db, err := s.eng.migrations()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	options := []goose.ProviderOption{
		goose.WithSlog(slog.New(slog.DiscardHandler)), goose.WithDisableGlobalRegistry(true),
	}
	if s.eng.dialect().goose == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 30))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(s.eng.dialect().goose, db, translated{files, s.eng.dialect()}, options...)
	if err != nil {
		return err
	}
	steps, err := p.UpTo(ctx, version)
	for _, step := range steps {
		s.log.Info("database migrated", "version", step.Source.Version, "took", step.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	return nil
}

// Version is the version of the database's schema, 0 when it has none, and the
// version that this program needs.
func (s *Store) Version(ctx context.Context) (have, want int64, err error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, 0, err
		}
		want = max(want, v)
	}
	err = s.read(ctx, func(r reader) error {
		var tables int64
		if _, err := one(r, s.eng.dialect().hasTable, args(goose.DefaultTablename), &tables); err != nil || tables == 0 {
			return err
		}
		_, err := one(r, "SELECT COALESCE(MAX(version_id), 0) FROM "+goose.DefaultTablename+" WHERE is_applied", nil, &have)
		return err
	})
	return have, want, err
}

// translated is the migrations in the engine's words.
type translated struct {
	fs.FS
	d *dialect
}

func (t translated) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return &translatedFile{File: f, Reader: bytes.NewReader([]byte(t.d.translate(string(text))))}, nil
}

type translatedFile struct {
	fs.File
	*bytes.Reader
}

func (f *translatedFile) Read(b []byte) (int, error) { return f.Reader.Read(b) }
