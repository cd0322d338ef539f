package connection

import (
	"encoding/json"
	"testing"
)

func TestGuarded(t *testing.T) {
	for options, want := range map[string]bool{`{}`: true, `{"brute_force_protection":true}`: true, `{"brute_force_protection":false}`: false} {
		if got := (&Connection{Strategy: "auth0", Options: json.RawMessage(options)}).Guarded(); got != want {
			t.Errorf("%s: %v", options, got)
		}
	}
}

func TestHistory(t *testing.T) {
	for _, row := range []struct {
		options string
		want    int
		many    bool
	}{
		{`{}`, 0, false},
		{`{"password_history":{"enable":false,"size":5}}`, 0, false},
		{`{"password_history":{"enable":true}}`, 5, false},
		{`{"password_history":{"enable":true,"size":0}}`, 0, false},
		{`{"password_history":{"enable":true,"size":24}}`, 24, false},
		{`{"password_history":{"enable":true,"size":1000}}`, 24, false},
		{`{"password_options":{"history":{"active":true,"size":3}}}`, 3, false},
		{`{"password_options":{"history":{"active":false,"size":3}}}`, 0, false},
		{`{"password_options":{},"password_history":{"enable":true,"size":3}}`, 0, false},
		{`{"password_options":{"dictionary":{"active":true,"default":"en_100k"}}}`, 0, true},
		{`{"password_options":{"dictionary":{"active":true,"default":"en_10k"}}}`, 0, false},
	} {
		p := (&Connection{Strategy: "auth0", Options: json.RawMessage(row.options)}).PasswordPolicy()
		if p.History != row.want || p.Many != row.many {
			t.Errorf("%s: %d, many %v", row.options, p.History, p.Many)
		}
	}
}
