package job

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// BackchannelLogout tells one client that a session has ended
// (reference/authentication.md §4.5). Ours, not shown.
const BackchannelLogout = "backchannel_logout"

// Teller sends the message. Errors of kind errs.Unavailable pass: it may be sent
// again later; any other is the last word. ErrNobody: the client no longer listens.
type Teller interface {
	TellLogout(ctx context.Context, clientID, userID, sessionID string) error
}

// ErrNobody says that there is nobody to tell.
var ErrNobody = errs.New(errs.NotFound, "", "The client does not listen.")

// logoutParams are the parameters of such a job as stored.
type logoutParams struct {
	ClientID  string `json:"client_id"`
	UserID    string `json:"user_id"`
	SessionID string `json:"sid"`
}

// ForLogout is the pending job that tells a client of a session that ended at that time.
func ForLogout(clientID, userID, sessionID string, at int64) *Job {
	params, err := json.Marshal(logoutParams{clientID, userID, sessionID})
	if err != nil {
		panic(err) // three strings always encode
	}
	return &Job{ID: NewID(), Type: BackchannelLogout, Status: Pending, Params: params, CreatedAt: at, UpdatedAt: at, ActorClientID: clientID}
}

const (
	// tellTime is how long one message may take; the lease outlives it.
	tellTime = 15 * time.Second
	// tellWait is how long a client that does not answer is tried: its own session
	// would be over by then.
	tellWait = time.Hour
)

// tellLogout sends one message. A crash between the client's yes and ours sends
// another one; ending an ended session is nothing to a client.
func (t *task) tellLogout() error {
	var p logoutParams
	if err := json.Unmarshal(t.job.Params, &p); err != nil {
		return err
	}
	over := func(status, kind, why string) error {
		return t.Store.Finish(t.ctx, t.lease, status, why, t.Now().UnixMicro(), audit.Event{
			Type: kind, At: t.Now().UnixMicro(), Description: why, ClientID: p.ClientID, UserID: p.UserID,
		})
	}
	if t.Teller == nil {
		return over(Failed, audit.BackchannelFailed, "Nobody sends such messages here.")
	}
	ctx, cancel := context.WithTimeout(t.ctx, tellTime)
	defer cancel()
	err := t.Teller.TellLogout(ctx, p.ClientID, p.UserID, p.SessionID)
	switch waited := t.Now().Sub(time.UnixMicro(t.job.CreatedAt)); {
	case err == nil:
		return over(Completed, audit.BackchannelOK, "")
	case errors.Is(err, ErrNobody):
		return t.Store.Finish(t.ctx, t.lease, Completed, "", t.Now().UnixMicro())
	case errs.KindOf(err) != errs.Unavailable:
		return over(Failed, audit.BackchannelFailed, errs.From(err).Text)
	case waited >= tellWait:
		return over(Failed, audit.BackchannelFailed, "The client could not be reached.")
	default:
		if err := t.Store.Extend(t.ctx, t.lease, t.Now().Add(max(firstPause, waited)).UnixMicro()); err != nil {
			return err
		}
		return errLater
	}
}
