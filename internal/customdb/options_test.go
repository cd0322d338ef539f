package customdb

import (
	"encoding/json"
	"reflect"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
)

// Who runs an action: its script, or else its statement, or else the webhook.
func TestCarrier(t *testing.T) {
	const (
		script  = `"customScripts":{"login":"x"}`
		sql     = `"sql":{"url":"postgres://db.example/x","login":"x","create":"x"}`
		webhook = `"webhook":{"url":"https://hooks.example","actions":["login","create","verify"]}`
	)
	for _, row := range []struct {
		options               string
		login, create, verify Carrier
	}{
		{`{}`, None, None, None},
		{`{` + script + `}`, Script, None, None},
		{`{` + sql + `}`, SQL, SQL, None},
		{`{` + webhook + `}`, Webhook, Webhook, Webhook},
		{`{` + script + `,` + sql + `,` + webhook + `}`, Script, SQL, Webhook},
		{`{"sql":{"login":"x"},"webhook":{"actions":["login"]}}`, None, None, None},
		{`{"customScripts":null,"sql":null,"webhook":null}`, None, None, None},
		{`{"webhook":{"url":"https://hooks.example","actions":["log_in"]}}`, None, None, None},
	} {
		o := ParseOptions(strictjson.ParseDocument(json.RawMessage(row.options)))
		if l, c, v := o.Carrier(Login), o.Carrier(Create), o.Carrier(Verify); l != row.login || c != row.create || v != row.verify {
			t.Errorf("%s: %q %q %q", row.options, l, c, v)
		}
		if o.Has(Login) != (row.login != None) {
			t.Errorf("%s: Has", row.options)
		}
	}
}

// ${NAME} is filled once, escaped in an address; what is no name stays as it is.
func TestFill(t *testing.T) {
	const configuration = `"configuration":{"PW":{"value":"p@ss/w?rd#${HOST}","mask":"m"},"HOST":{"value":"db.example:5433","mask":"m"},
		"URL":{"value":"mysql://a:b@db.example/x?ssl=true","mask":"m"},"NUMBER":{"value":7,"mask":"m"}}`
	for text, want := range map[string][2]string{ // as an address, as a secret
		"":                              {"", ""},
		"postgres://u:${PW}@${HOST}/x":  {"postgres://u:p%40ss%2Fw%3Frd%23$%7BHOST%7D@db.example:5433/x", "postgres://u:p@ss/w?rd#${HOST}@db.example:5433/x"},
		"${URL}":                        {"mysql://a:b@db.example/x?ssl=true", "mysql://a:b@db.example/x?ssl=true"},
		"${URL}${NUMBER}":               {"mysql:%2F%2Fa:b%40db.example%2Fx%3Fssl=true7", "mysql://a:b@db.example/x?ssl=true7"},
		"${OTHER}":                      {"${OTHER}", "${OTHER}"},
		"https://hooks.example/${HOST":  {"https://hooks.example/${HOST", "https://hooks.example/${HOST"},
		"https://hooks.example/$HOST{}": {"https://hooks.example/$HOST{}", "https://hooks.example/$HOST{}"},
	} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		o := ParseOptions(strictjson.ParseDocument(json.RawMessage(
			`{` + configuration + `,"sql":{"url":` + string(quoted) + `},"webhook":{"url":` + string(quoted) + `,"secret":` + string(quoted) + `}}`)))
		if got := [2]string{o.SQLURL, o.WebhookSecret}; got != want || o.WebhookURL != o.SQLURL {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// What makes no custom database has no actions, whatever its options say.
func TestOptionsOfOthers(t *testing.T) {
	const options = `{"customScripts":{"login":"x"},"migration":{"mode":"shadow"}}`
	for strategy, options := range map[string]string{"auth0": options, "oauth2": `{"enabledDatabaseCustomization":true,` + options[1:]} {
		c := &connection.Connection{ID: "con_1", Strategy: strategy, Options: json.RawMessage(options)}
		if got := OptionsOf(c); !reflect.DeepEqual(got, &Options{Mode: Off}) {
			t.Errorf("%s: %+v", strategy, got)
		}
	}
	c := &connection.Connection{ID: "con_1", Strategy: "auth0", Options: json.RawMessage(`{"enabledDatabaseCustomization":true,"enable_script_context":true,"customScripts":{"login":"x"},"migration":{"mode":"shadow","recreate_deleted":true}}`)}
	if o := OptionsOf(c); !o.Has(Login) || !o.Context || o.Mode != Shadow || !o.RecreatesDeleted {
		t.Errorf("%+v", o)
	}
}
