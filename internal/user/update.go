package user

import (
	"context"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// ErrAmbiguous is the refusal of a row that names several users by one e-mail
// address.
var ErrAmbiguous = errs.New(errs.Conflict, "", "There are several users with this email.")

// PrepareUpdate finds the user of a row and judges its patch: the same as Patch
// up to the write. Email addresses are those of users whose primary identity is
// in c, which may be nil. Err is a failure of ours, problems are the row's.
func (s *Service) PrepareUpdate(ctx context.Context, row UpdateRow, c *connection.Connection, a Actor) (id ID, fn func(*User) (Effect, error), problems []Problem, err error) {
	view, err := s.named(ctx, row, c)
	if err != nil {
		return "", nil, UpdateProblems(err), failureOnly(err)
	}
	fn, err = s.PreparePatch(ctx, view, row.Patch, a)
	if err != nil {
		return "", nil, PatchProblems(err), failureOnly(err)
	}
	return view.ID, fn, nil, nil
}

// failureOnly is err unless it is a refusal.
func failureOnly(err error) error {
	if len(UpdateProblems(err)) > 0 {
		return nil
	}
	return err
}

// errNoScope: an address alone does not name a user.
var errNoScope = schema.Error{{
	Code: schema.NotPassed, Path: profile.Email,
	Message: "A row that names its user by email needs the connection_id of the job",
}}

// named is the user whom a row names.
func (s *Service) named(ctx context.Context, row UpdateRow, c *connection.Connection) (View, error) {
	if row.ID != "" {
		return s.Users.View(ctx, row.ID)
	}
	if c == nil {
		return View{}, errNoScope
	}
	email := row.Email
	if c.Class().StoresLowerCase() {
		email = strings.ToLower(email)
	}
	views, err := s.Users.ViewsByEmail(ctx, email)
	if err != nil {
		return View{}, err
	}
	var found View
	for _, v := range views {
		_, ids, err := v.decode()
		if err != nil {
			return View{}, err
		}
		if len(ids) == 0 || ids[0].Connection != c.Name {
			continue
		}
		if found.ID != "" {
			return View{}, ErrAmbiguous
		}
		found = v
	}
	if found.ID == "" {
		return View{}, ErrNotFound
	}
	return found, nil
}
