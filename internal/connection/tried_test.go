package connection

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

func TestTried(t *testing.T) {
	const stored = `{"enabledDatabaseCustomization":true,"import_mode":true,"customScripts":{"login":"old","get_user":"old"},
		"configuration":{"A":{"value":"a","mask":"MASK-A"},"B":{"value":"b","mask":"MASK-B"}}}`
	s := &Service{NewMask: func() string { return "NEW" }}
	for _, row := range []struct{ name, sent, scripts, sql, webhook, configuration string }{
		{"nothing", `{}`, `{"login":"old","get_user":"old"}`, ``, ``, `{"A":{"value":"a","mask":"MASK-A"},"B":{"value":"b","mask":"MASK-B"}}`},
		{"a script", `{"customScripts":{"login":"new"}}`, `{"login":"new"}`, ``, ``, `{"A":{"value":"a","mask":"MASK-A"},"B":{"value":"b","mask":"MASK-B"}}`},
		{"statements", `{"sql":{"url":"postgres://db.example/x","login":"SELECT 1"}}`, ``, `{"url":"postgres://db.example/x","login":"SELECT 1"}`, ``,
			`{"A":{"value":"a","mask":"MASK-A"},"B":{"value":"b","mask":"MASK-B"}}`},
		{"two of them", `{"customScripts":{"login":"new"},"webhook":{"url":"https://x.example","actions":["login"]}}`, `{"login":"new"}`, ``,
			`{"url":"https://x.example","actions":["login"]}`, `{"A":{"value":"a","mask":"MASK-A"},"B":{"value":"b","mask":"MASK-B"}}`},
		{"none", `{"customScripts":null}`, ``, ``, ``, `{"A":{"value":"a","mask":"MASK-A"},"B":{"value":"b","mask":"MASK-B"}}`},
		{"a mask, a value, a new one", `{"configuration":{"A":"MASK-A","B":"other","C":"c"}}`, `{"login":"old","get_user":"old"}`, ``, ``,
			`{"A":{"value":"a","mask":"MASK-A"},"B":{"mask":"NEW","value":"other"},"C":{"mask":"NEW","value":"c"}}`},
		{"one removed", `{"configuration":{"A":null}}`, `{"login":"old","get_user":"old"}`, ``, ``, `{"B":{"value":"b","mask":"MASK-B"}}`},
		{"all removed", `{"configuration":{"A":null,"B":null}}`, `{"login":"old","get_user":"old"}`, ``, ``, `{}`},
		{"none at all", `{"configuration":null}`, `{"login":"old","get_user":"old"}`, ``, ``, `{}`},
		{"another's mask", `{"configuration":{"A":"MASK-B"}}`, `{"login":"old","get_user":"old"}`, ``, ``, `{"A":{"mask":"NEW","value":"MASK-B"},"B":{"value":"b","mask":"MASK-B"}}`},
	} {
		c := &Connection{ID: "con_1", Name: "legacy", Strategy: "auth0", Options: json.RawMessage(stored), Version: 3}
		tried, err := s.Tried(context.Background(), c, strictjson.ParseDocument(json.RawMessage(row.sent)))
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		d := tried.Document()
		for name, want := range map[string]string{"customScripts": row.scripts, "sql": row.sql, "webhook": row.webhook, "configuration": row.configuration} {
			if got := string(d[name]); got != want {
				t.Errorf("%s: %s is %s, want %s", row.name, name, got, want)
			}
		}
		if !d.Flag("import_mode") || tried.ID != c.ID || string(c.Options) != stored {
			t.Errorf("%s: %+v", row.name, tried)
		}
	}
}

// refusing is a Preparer that refuses everything.
type refusing struct{}

func (refusing) Prepare(context.Context, string, strictjson.Document, strictjson.Document) (strictjson.Document, error) {
	return nil, errs.New(errs.Invalid, "invalid_body", "no")
}

func TestTriedIsRefused(t *testing.T) {
	c := &Connection{Strategy: "auth0", Options: json.RawMessage(`{"enabledDatabaseCustomization":true}`)}
	s := &Service{NewMask: NewMask}
	_, err := s.Tried(context.Background(), c, strictjson.Document{"customScripts": json.RawMessage(`{"login":7}`)})
	var wrong schema.Error
	if !errors.As(err, &wrong) || !strings.Contains(wrong[0].Path, "customScripts") {
		t.Errorf("a wrong type: %v", err)
	}
	s.Preparers = map[string]Preparer{"auth0": refusing{}}
	if _, err := s.Tried(context.Background(), c, strictjson.Document{"customScripts": json.RawMessage(`{"login":"x"}`)}); err == nil || errs.From(err).Text != "no" {
		t.Errorf("what cannot run: %v", err)
	}
}
