package action_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/action"
	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/foreigndb/tdstest"
	"mangrove/internal/outbound"
	"mangrove/internal/profile"
)

// identityHash is "my password" as ASP.NET Core Identity writes it.
const identityHash = "AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw=="

// A table of ASP.NET Identity. What SQL Server itself makes of the statements cannot be
// seen here: a double answers.
func TestSQLServer(t *testing.T) {
	columns := []tdstest.Column{{Name: "user_id", Type: "uniqueidentifier"}, {Name: "email", Type: "nvarchar"}, {Name: "email_verified", Type: "bit"}, {Name: "password_hash", Type: "nvarchar"}}
	kai := []any{[]byte("\x5b\xad\x8f\x0f\xcb\xd9\x9f\x46\xa1\x65\x70\x86\x77\x28\x95\x0e"), "kai@shop.example", true, identityHash}
	var mu sync.Mutex
	var asked []tdstest.Request
	server := tdstest.New(t, tdstest.Options{User: "app", Password: "Pa55-w0rd", Answer: func(_ context.Context, r tdstest.Request) tdstest.Answer {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r)
		found := false
		for _, v := range r.Params {
			found = found || strings.HasPrefix(fmt.Sprint(v), "kai")
		}
		switch {
		case strings.HasPrefix(r.Text, "SELECT") && found:
			return tdstest.Answer{Sets: []tdstest.Set{{Columns: columns, Rows: [][]any{kai}}}}
		case strings.HasPrefix(r.Text, "SELECT"):
			return tdstest.Answer{Sets: []tdstest.Set{{Columns: columns}}}
		case strings.HasPrefix(r.Text, "INSERT") && found:
			return tdstest.Answer{Err: &tdstest.Error{Number: 2627, Class: 14, Message: "Violation of UNIQUE KEY constraint 'UQ'."}}
		case found:
			return tdstest.Answer{Sets: []tdstest.Set{{Affected: 1}}}
		}
		return tdstest.Answer{Sets: []tdstest.Set{{}}}
	}})
	databases := foreigndb.New(outbound.Dialer(loopback).DialContext)
	t.Cleanup(databases.Close)
	runner := action.New(action.Options{Databases: databases, Hashing: &hashing{}, Web: outbound.New(loopback)})
	statements := map[string]string{
		"url":             fmt.Sprintf("sqlserver://app:${DB_PASSWORD}@127.0.0.1:%d/legacy?encrypt=disable", server.Port()),
		"login":           "SELECT Id AS user_id, Email AS [email], EmailConfirmed AS email_verified, PasswordHash AS password_hash FROM AspNetUsers WHERE Email = :identifier OR UserName = :identifier",
		"create":          "INSERT INTO AspNetUsers (Email, PasswordHash) VALUES (:email, :password_hash)",
		"change_password": "UPDATE AspNetUsers SET PasswordHash = :new_password_hash WHERE Email = :identifier",
		"verify":          "UPDATE AspNetUsers SET EmailConfirmed = 1 WHERE Email = :email",
	}
	c := legacy(t, map[string]any{"sql": statements}, map[string]string{"DB_PASSWORD": "Pa55-w0rd"})

	attack := "kai@shop.example'; DROP TABLE AspNetUsers; --"
	answer, err := runner.Run(context.Background(), c, customdb.SignIn(attack, "my password"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"email":"kai@shop.example","email_verified":true,"user_id":"0F8FAD5B-D9CB-469F-A165-70867728950E"}`; !strings.EqualFold(string(answer.Value), want) {
		t.Errorf("login: %s", answer.Value)
	}
	if r := asked[len(asked)-1]; r.Params["p1"] != attack || len(r.Params) != 1 || strings.Contains(r.Text, "DROP") || !strings.Contains(r.Text, "Email = @p1 OR UserName = @p1") {
		t.Errorf("asked: %+v", r)
	}
	for _, call := range []customdb.Call{customdb.SignIn("kai", "my  password"), customdb.SignIn("kau", "my password")} {
		if _, err := runner.Run(context.Background(), c, call); !customdb.IsWrong(err) {
			t.Errorf("%v", err)
		}
	}
	_, err = runner.Run(context.Background(), c, customdb.NewUser(profile.Value(`{"email":"kai","password":"x"}`)))
	if f := failure(t, err); f.Kind != customdb.Invalid || f.Code != "user_exists" {
		t.Errorf("create: %#v", f)
	}
	for _, step := range []struct {
		call customdb.Call
		want string
	}{{customdb.Proved("kai"), "true"}, {customdb.Proved("kau"), "false"}, {customdb.NewPassword("kai", "x"), "true"}} {
		if answer, err := runner.Run(context.Background(), c, step.call); err != nil || string(answer.Value) != step.want {
			t.Errorf("%s: %s, %v", step.call.Action, answer.Value, err)
		}
	}
	wrong := legacy(t, map[string]any{"sql": statements}, map[string]string{"DB_PASSWORD": "another"})
	_, err = runner.Run(context.Background(), wrong, customdb.SignIn("kai", "my password"))
	if f := failure(t, err); f.Kind != customdb.Broken || strings.Contains(f.Error(), "another") {
		t.Errorf("refused: %#v", f)
	}
}
