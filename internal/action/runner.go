package action

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/script"
)

// Hashing computes password hashes, a bounded number at a time. Its errors beside that
// of ctx say that it is overrun; Run passes them on.
type Hashing interface {
	// Matches reports whether a password belongs to a stored form; an empty one takes as
	// long, and belongs to none.
	Matches(ctx context.Context, stored, password string) (bool, error)
	// Hash makes the stored form of a password, bcrypt.
	Hash(ctx context.Context, password string) (stored string, err error)
}

// Options are the parts of a Runner, all of them required.
type Options struct {
	// Scripts runs customScripts.
	Scripts *script.Engine
	// Databases opens those of options.sql.
	Databases *foreigndb.Opener
	Hashing   Hashing
	// Web is the guarded client (package outbound) that calls webhooks.
	Web *http.Client
	Now func() time.Time
}

// Runner runs the actions of all connections. It is safe for concurrent use.
type Runner struct {
	scripts   *script.Engine
	databases *foreigndb.Opener
	hashing   Hashing
	web       *http.Client
	now       func() time.Time
	hooks     chan struct{}
}

var _ customdb.Runner = (*Runner)(nil)

// New makes a Runner.
func New(o Options) *Runner {
	return &Runner{
		scripts: o.Scripts, databases: o.Databases, hashing: o.Hashing, web: unredirected(o.Web), now: o.Now,
		hooks: make(chan struct{}, hooksAtOnce),
	}
}

// Run implements customdb.Runner. In the texts of a failure the configuration of the
// connection and the passwords of the call are masked, whoever wrote them. A failure of
// Hashing is passed on.
func (r *Runner) Run(ctx context.Context, c *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	o := customdb.OptionsOf(c)
	var answer customdb.Answer
	var err error
	switch o.Carrier(call.Action) {
	case customdb.Script:
		answer, err = r.script(ctx, o, call)
	case customdb.SQL:
		answer, err = r.sql(ctx, c, o, call)
	case customdb.Webhook:
		answer, err = r.webhook(ctx, c, o, call)
	default:
		err = &customdb.Failure{Kind: customdb.NoAction, Message: "the connection has no action " + string(call.Action)}
	}
	if len(answer.Value) == 0 {
		answer.Value = null
	}
	var f *customdb.Failure
	if errors.As(err, &f) {
		return customdb.Answer{}, masked(f, script.Hide(secrets(o, call)))
	}
	if err != nil {
		return customdb.Answer{}, err
	}
	return answer, nil
}

var null = []byte("null")

func secrets(o *customdb.Options, call customdb.Call) []string {
	return append(o.Secrets(), call.Secrets()...)
}

// The texts of a failure are cut to what a log record can hold.
const (
	maxCode    = 100
	maxMessage = 500
	maxDetail  = 2000
)

// masked hides secrets in a failure. Its UserID stays: it is an id, or the failure is of
// no use.
func masked(f *customdb.Failure, hide func(string) string) *customdb.Failure {
	g := *f
	g.Code, g.Message, g.Detail = clip(hide(f.Code), maxCode), clip(hide(f.Message), maxMessage), clip(hide(f.Detail), maxDetail)
	return &g
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// broken is a failure of the way to an answer rather than of what was asked. detail is
// for the operator alone.
func broken(message, detail string) *customdb.Failure {
	return &customdb.Failure{Kind: customdb.Broken, Message: message, Detail: detail}
}
