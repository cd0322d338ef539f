package user_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/user"
)

func TestTryAction(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.custom("legacy", importing, shop())
		line := []customdb.Line{{Level: "info", Text: "hello"}}
		for _, row := range []struct {
			name    string
			options string
			call    customdb.Call
			answer  string
			fails   error

			result, profile, dropped, refusal string
			failure                           customdb.Kind
		}{
			{
				name: "somebody who migrates", options: importing, call: customdb.SignIn("kai", "the secret"),
				answer: `{"user_id":"42","email":"Kai@Shop.example","email_verified":true,"picture":"no address","password_hash":"x","note":"the secret"}`,
				result: `"password_hash":"****","note":"****"`, profile: `"email":"kai@shop.example"`, dropped: "picture",
			},
			{
				name: "somebody of an external store", options: external, call: customdb.Find("kai"),
				answer: `{"user_id":"42","email":"Kai@Shop.example"}`, result: `"42"`, profile: `"email":"Kai@Shop.example"`,
			},
			{
				name: "somebody without an identifier", options: importing, call: customdb.Find("kai"),
				answer: `{"user_id":"42","name":"Kai"}`, result: `"42"`, refusal: "no identifier of the person",
			},
			{name: "nobody", options: importing, call: customdb.Find("kai"), answer: `null`, result: `null`},
			{name: "nobody signs in", options: importing, call: customdb.SignIn("kai", "x"), answer: `null`, result: `null`, failure: customdb.Wrong},
			{name: "no profile", options: importing, call: customdb.Find("kai"), answer: `{"id":1}`, result: `{"id":1}`, failure: customdb.Broken},
			{name: "done", options: external, call: customdb.Proved("kai"), answer: `true`, result: `true`},
			{name: "not done", options: external, call: customdb.Proved("kai"), answer: `false`, result: `false`, failure: customdb.Failed},
			{name: "a page", options: pulling, call: customdb.Page("", 5), answer: `[{"user_id":1,"password":"x"}]`, result: `"password":"****"`},
			{name: "no page", options: pulling, call: customdb.Page("", 5), answer: `7`, result: `7`, failure: customdb.Broken},
			{
				name: "an error", options: importing, call: customdb.SignIn("kai", "x"),
				fails: &customdb.Failure{Kind: customdb.Failed, Message: "m", Console: line}, failure: customdb.Failed,
			},
		} {
			c = h.options(c, row.options)
			h.External = answering(func(customdb.Call) (customdb.Answer, error) {
				h.now = h.now.Add(7 * time.Millisecond)
				if row.fails != nil {
					return customdb.Answer{}, row.fails
				}
				return customdb.Answer{Value: json.RawMessage(row.answer), Console: line}, nil
			})
			got, err := h.TryAction(t.Context(), c, row.call, []string{"customScripts"}, admin)
			if err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			var kind customdb.Kind
			if got.Failure != nil {
				kind = got.Failure.Kind
			}
			if kind != row.failure || !strings.Contains(string(got.Result), row.result) || !strings.Contains(string(got.Attributes), row.profile) ||
				(row.profile == "") != (got.Attributes == nil) {
				t.Errorf("%s: %+v: %s, %s", row.name, got.Failure, got.Result, got.Attributes)
			}
			if row.dropped != "" && (len(got.Dropped) != 1 || got.Dropped[0].Name != row.dropped) {
				t.Errorf("%s: dropped %+v", row.name, got.Dropped)
			}
			if (row.refusal == "") != (got.Refusal == nil) || row.refusal != "" && !strings.Contains(errs.From(got.Refusal).Text, row.refusal) {
				t.Errorf("%s: %v", row.name, got.Refusal)
			}
			if got.Took != 7*time.Millisecond || len(got.Console) != 1 {
				t.Errorf("%s: took %s, console %v", row.name, got.Took, got.Console)
			}
		}
		if _, err := h.store.UserByIdentity(t.Context(), c.ID, "42"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("a try made somebody: %v", err)
		}
		for _, e := range eventsOf(t, h) {
			if e.Type != audit.APIOperation || e.Description != "Try an action of a custom database" {
				continue
			}
			if text := string(e.Details); strings.Contains(text, "kai") || strings.Contains(text, "secret") || !strings.Contains(text, `"options":["customScripts"]`) {
				t.Errorf("the record says %s", text)
			}
		}
		if typesOf(t, h)[audit.APIOperation] < 11 {
			t.Errorf("records: %v", typesOf(t, h))
		}
		if _, err := h.TryAction(t.Context(), h.own, customdb.Find("kai"), nil, admin); !errors.Is(err, user.ErrNoCustomDatabase) {
			t.Errorf("of a database of ours: %v", err)
		}
		h.External = answering(func(customdb.Call) (customdb.Answer, error) { return customdb.Answer{}, context.Canceled })
		if _, err := h.TryAction(t.Context(), c, customdb.Find("kai"), nil, admin); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}
