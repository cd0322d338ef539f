package user

import (
	"errors"
	"testing"

	"mangrove/internal/opt"
	"mangrove/internal/profile"
)

func profileWith(email string, proved bool) profile.Profile {
	var p profile.Profile
	if email != "" {
		p.Set(profile.Email, profile.Text(email), profile.Source{})
		p.Set(profile.EmailVerified, profile.Bool(proved), profile.Source{})
	}
	return p
}

func TestAsksVerification(t *testing.T) {
	yes, no, absent := opt.Of(true), opt.Of(false), opt.Value[bool]{}
	rows := []struct {
		created bool
		asked   opt.Value[bool]
		email   string
		proved  bool
		want    bool
	}{
		{true, absent, "a@b.example", false, true},
		{true, absent, "a@b.example", true, false},
		{true, no, "a@b.example", false, false},
		{true, yes, "a@b.example", false, true},
		{true, yes, "a@b.example", true, true},
		{true, absent, "", false, false},
		{true, yes, "", false, false},
		{false, absent, "a@b.example", false, false},
		{false, no, "a@b.example", false, false},
		{false, yes, "a@b.example", false, true},
		{false, yes, "a@b.example", true, true},
		{false, yes, "", false, false},
	}
	for _, row := range rows {
		if got := asksVerification(row.created, row.asked, profileWith(row.email, row.proved)); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

func TestProof(t *testing.T) {
	u := &User{
		Profile: profileWith("a@b.example", false), Password: Password{SetAt: 7},
		Identities: []Identity{{ConnectionID: "con_a", Subject: "1"}, {ConnectionID: "con_b", Subject: "1", ProfileData: profileWith("c@d.example", true)}},
	}
	rows := []struct {
		name  string
		proof Proof
		at    int
		err   error
	}{
		{"primary", Proof{ConnectionID: "con_a", Subject: "1", Email: "a@b.example", PasswordSetAt: 7}, 0, nil},
		{"secondary", Proof{ConnectionID: "con_b", Subject: "1", Email: "c@d.example", PasswordSetAt: 7}, 1, nil},
		{"another address", Proof{ConnectionID: "con_a", Subject: "1", Email: "c@d.example", PasswordSetAt: 7}, 0, ErrTicketOver},
		{"another spelling", Proof{ConnectionID: "con_a", Subject: "1", Email: "A@b.example", PasswordSetAt: 7}, 0, ErrTicketOver},
		{"no address", Proof{ConnectionID: "con_a", Subject: "1", PasswordSetAt: 7}, 0, ErrTicketOver},
		{"another password", Proof{ConnectionID: "con_a", Subject: "1", Email: "a@b.example"}, 0, ErrTicketOver},
		{"an identity that was unlinked", Proof{ConnectionID: "con_c", Subject: "1", Email: "a@b.example", PasswordSetAt: 7}, 0, ErrTicketOver},
		{"another subject", Proof{ConnectionID: "con_a", Subject: "2", Email: "a@b.example", PasswordSetAt: 7}, 0, ErrTicketOver},
	}
	for _, row := range rows {
		if at, err := row.proof.identity(u); at != row.at || !errors.Is(err, row.err) {
			t.Errorf("%s: %d, %v", row.name, at, err)
		}
	}
}
