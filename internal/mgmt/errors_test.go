package mgmt

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/passwd"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
)

func TestRender(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		body string
	}{
		{"of a use case", user.ErrNotFound, `{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}`},
		{"with a cause", user.ErrExists.Because(errors.New("UNIQUE constraint failed: users.email")), `{"statusCode":409,"error":"Conflict","message":"The user already exists.","errorCode":"auth0_idp_error"}`},
		{"wrapped", fmt.Errorf("importing: %w", job.ErrNotFound), `{"statusCode":404,"error":"Not Found","message":"The job does not exist","errorCode":"inexistent_job"}`},
		{"unauthenticated", errToken, `{"statusCode":401,"error":"Unauthorized","message":"Invalid token","attributes":{"error":"Invalid token"}}`},
		{"schema", schema.Error{schema.Missing("connection"), schema.Missing("email")}, `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Missing required property: connection'.","errorCode":"invalid_body"}`},
		{"malformed", &strictjson.Error{Text: "duplicate key"}, `{"statusCode":400,"error":"Bad Request","message":"Invalid request payload JSON format: duplicate key","errorCode":"invalid_body"}`},
		{"weak password", &passwd.Weak{Name: "PasswordDictionaryError", Message: "Password is too common"}, `{"statusCode":400,"error":"Bad Request","message":"PasswordDictionaryError: Password is too common"}`},
		{"too many", user.ErrBusy, `{"statusCode":429,"error":"Too Many Requests","message":"Too many sign-ins at once. Please try again in a moment.","errorCode":"too_many_requests"}`},
		{"unknown", errors.New("pq: relation users does not exist"), `{"statusCode":500,"error":"Internal Server Error","message":"Internal error."}`},
		{"internal with a text", errs.New(errs.Internal, "code", "the disk is full"), `{"statusCode":500,"error":"Internal Server Error","message":"Internal error."}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			render(w, nil, row.err)
			if w.Body.String() != row.body {
				t.Errorf("got %s", w.Body)
			}
			if got := w.Header().Get("Retry-After") != ""; got != (w.Code == 429 || w.Code == 503) {
				t.Errorf("Retry-After: %v", got)
			}
			if got := w.Header().Get("WWW-Authenticate") != ""; got != (w.Code == 401) {
				t.Errorf("WWW-Authenticate: %v", got)
			}
		})
	}
}
