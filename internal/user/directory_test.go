package user_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// doorkeeper notes what is said about an attempt.
type doorkeeper struct {
	said    []string
	refuses error
	sink    audit.Sink
	names   []string
}

func (d *doorkeeper) Admit(_ context.Context, t user.Attempt) (user.Admission, error) {
	d.names = append(d.names, t.Identifier)
	return user.Admission{Counting: func() (user.Admission, error) { return user.Admission{}, d.refuses }}, nil
}

func (d *doorkeeper) Wrong(ctx context.Context, _ user.Attempt, _ user.Admission, e audit.Event) error {
	d.said = append(d.said, "wrong "+e.Type)
	return d.sink.AppendEvents(ctx, e)
}

func (d *doorkeeper) Return(context.Context, user.Admission) error {
	d.said = append(d.said, "returned")
	return nil
}

func (*doorkeeper) AdmitSignup(context.Context, *connection.Connection, user.Actor) error { return nil }

func TestAuthenticateDirectory(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		expired := errs.New(errs.Forbidden, "password_expired", "The password has expired.")
		down := errs.New(errs.Unavailable, "access_denied", "The identity provider is unreachable.")
		locked := &user.Locked{Why: user.ErrAccountLocked}
		for _, row := range []struct {
			name  string
			guard error // of Admit
			err   error // of the directory
			// The directory says so many times whom the name means.
			counts  int
			counted string
			said    string
			want    error
			event   string
		}{
			{"right", nil, nil, 1, "cn=ann lee", "", nil, audit.LoginOK},
			{"wrong", nil, user.ErrWrongPassword.Because(errors.New("52e")), 1, "cn=ann lee", "wrong " + audit.WrongPassword, user.ErrWrongPassword, audit.WrongPassword},
			{"nobody has the name", nil, user.ErrWrongPassword.Because(user.ErrNobody), 1, "cn=ann lee", "wrong " + audit.UnknownUser, user.ErrWrongPassword, audit.UnknownUser},
			{"wrong, and nobody was asked", nil, user.ErrWrongPassword, 0, "ann", "wrong " + audit.WrongPassword, user.ErrWrongPassword, audit.WrongPassword},
			{"two servers asked", nil, nil, 2, "cn=ann lee", "", nil, audit.LoginOK},
			{"refused", nil, expired, 1, "cn=ann lee", "returned", expired, audit.LoginFailed},
			{"silent", nil, down, 0, "", "returned", down, audit.LoginFailed},
			{"locked", locked, nil, 1, "cn=ann lee", "", user.ErrAccountLocked, ""},
		} {
			d := &doorkeeper{refuses: row.guard, sink: h.store}
			h.Guard = d
			looked := false
			events := len(eventsOf(t, h))
			u, err := h.AuthenticateDirectory(t.Context(), h.acme, " Ann ", func(_ context.Context, count func(string) error) (user.Arrival, error) {
				for range row.counts {
					if err := count("CN=Ann Lee"); err != nil {
						return user.Arrival{}, err
					}
				}
				looked = true
				return user.Arrival{Claims: profile.Claims{Subject: "1", Attributes: changes("email", `"ann@corp.example"`)}}, row.err
			}, admin)
			if !errors.Is(err, row.want) || (row.want == nil) != (u != nil) {
				t.Errorf("%s: %v", row.name, err)
			}
			if looked == (row.guard != nil) {
				t.Errorf("%s: the password was looked at: %v", row.name, looked)
			}
			if got := strings.Join(d.said, ", "); got != row.said || strings.Join(d.names, ", ") != row.counted {
				t.Errorf("%s: said %q of %v, want %q", row.name, got, d.names, row.said)
			}
			list := eventsOf(t, h)
			switch {
			case row.event == "" && len(list) != events:
				t.Errorf("%s: recorded %v", row.name, list)
			case row.event != "" && (len(list) != events+1 || !slices.ContainsFunc(list, func(e audit.Event) bool { return e.Type == row.event && e.ConnectionID == h.acme.ID })):
				t.Errorf("%s: recorded %+v, want %s", row.name, list, row.event)
			}
		}
	})
}

func eventsOf(t *testing.T, h *house) []audit.Event {
	t.Helper()
	list, err := h.store.Events(t.Context(), audit.Span{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
