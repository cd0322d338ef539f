package customdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mangrove/internal/schema"
)

func TestGiven(t *testing.T) {
	for _, row := range []struct {
		action     Action
		args, want string // want is the call, or the first violation
	}{
		{Login, `{"password":"pw","identifier":"ann"}`, `[identifier="ann" password="pw"]`},
		{Login, `{"identifier":"ann"}`, "OBJECT_REQUIRED args"},
		{Login, `{"identifier":"ann","password":"pw","after":"x"}`, "OBJECT_ADDITIONAL_PROPERTIES args"},
		{Login, `{"identifier":1,"password":"pw"}`, "INVALID_TYPE args.identifier"},
		{Login, ``, "OBJECT_REQUIRED args"},
		{Login, `[]`, "INVALID_TYPE args"},
		{GetUser, `{"identifier":"Ann "}`, `[identifier="Ann "]`},
		{Create, `{"user":{"email":"a@b.example"}}`, `[user={"email":"a@b.example"}]`},
		{Create, `{"user":"ann"}`, "INVALID_TYPE args.user"},
		{ChangeEmail, `{"verified":true,"email":"a","new_email":"b"}`, `[email="a" new_email="b" verified=true]`},
		{ChangeEmail, `{"verified":"yes","email":"a","new_email":"b"}`, "INVALID_TYPE args.verified"},
		{Delete, `{"id":"42"}`, `[id="42"]`},
		{List, ``, `[after="" limit=10]`},
		{List, `{"after":"x","limit":100}`, `[after="x" limit=100]`},
		{List, `{"limit":101}`, "MAXIMUM args.limit"},
		{List, `{"limit":0}`, "MINIMUM args.limit"},
	} {
		c, err := Given(row.action, json.RawMessage(row.args))
		var got string
		var wrong schema.Error
		switch {
		case errors.As(err, &wrong):
			got = wrong[0].Code + " " + wrong[0].Path
		case err != nil:
			t.Fatal(err)
		default:
			list := make([]string, len(c.Args))
			for i, a := range c.Args {
				list[i] = a.Name + "=" + string(a.Value)
			}
			got = fmt.Sprint(list)
		}
		if got != row.want || err == nil && c.Action != row.action {
			t.Errorf("%s %s: %s, want %s", row.action, row.args, got, row.want)
		}
	}
}

func TestGivenKnowsEveryAction(t *testing.T) {
	samples := map[string]string{ArgUser: "{}", ArgVerified: "true", ArgLimit: "5"}
	for _, a := range Actions {
		args := map[string]json.RawMessage{}
		for _, name := range a.Parameters() {
			args[name] = json.RawMessage(`"x"`)
			if v, ok := samples[name]; ok {
				args[name] = json.RawMessage(v)
			}
		}
		raw, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := Given(a, raw); err != nil || len(c.Args) != len(a.Parameters()) {
			t.Errorf("%s: %+v, %v", a, c, err)
		}
	}
}

func TestShown(t *testing.T) {
	secrets := []string{"hunter2!", "abc", `say "hi"`}
	for _, row := range []struct{ answer, want string }{
		{``, `null`},
		{`null`, `null`},
		{`true`, `true`},
		{`[1, "x", {}]`, `[1,"x",{}]`},
		{`{"user_id":"42","password":"x","password_hash":7,"custom_password_hash":{"a":1},"new_password":null}`,
			`{"user_id":"42","password":"****","password_hash":"****","custom_password_hash":"****","new_password":"****"}`},
		{`{"a":{"b":["the hunter2! is","abc"]},"hunter2!":1}`, `{"a":{"b":["the **** is","abc"]},"****":1}`},
		{`"\u0068unter2!"`, `"****"`},
		{`"say \"hi\" now"`, `"**** now"`},
	} {
		if got := string(Shown(json.RawMessage(row.answer), secrets)); got != row.want {
			t.Errorf("%s: %s, want %s", row.answer, got, row.want)
		}
	}
}

// Whatever is shown is JSON, and no text in it holds the secret.
func FuzzShown(f *testing.F) {
	f.Add(`{"a":["hunter2!",{"password":1}]}`, "hunter2!")
	f.Add(`"\u0068unter2!"`, "hunter2!")
	f.Fuzz(func(t *testing.T, answer, secret string) {
		if !json.Valid([]byte(answer)) || len(secret) < minSecret || !utf8.ValidString(secret) || strings.Contains(secret, "*") {
			t.Skip()
		}
		var shown any
		text := Shown(json.RawMessage(answer), []string{secret})
		if err := json.Unmarshal(text, &shown); err != nil {
			t.Fatalf("%q became %q", answer, text)
		}
		if holds(shown, secret) {
			t.Fatalf("%q became %q, with %q", answer, text, secret)
		}
	})
}

func holds(v any, secret string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, secret)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return holds(e, secret) })
	case map[string]any:
		for name, e := range v {
			if strings.Contains(name, secret) || holds(e, secret) {
				return true
			}
		}
	}
	return false
}
