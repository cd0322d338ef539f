package op

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/web"
)

// Why a directory refused is for the operator to find; why a database did is not told.
func TestNoteCause(t *testing.T) {
	refusal := errs.New(errs.Forbidden, "access_denied", "No.").Because(errors.New("search: result 32"))
	for strategy, told := range map[string]bool{directoryStrategy: true, "auth0": false} {
		var log bytes.Buffer
		h := web.Log(slog.New(slog.NewTextHandler(&log, nil)))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			noteCause(r, &connection.Connection{ID: "con_1", Strategy: strategy}, refusal)
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/oauth/token", nil))
		if got := strings.Contains(log.String(), `connection=con_1 cause="search: result 32"`); got != told || log.Len() == 0 {
			t.Errorf("%s: %s", strategy, log.String())
		}
	}
}
