package op

import (
	"context"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// clientRequest is a request of a client at an endpoint where clients say who
// they are. What handles it fills in what the record of the outcome should say.
type clientRequest struct {
	params map[string]string
	client caller
	actor  user.Actor
	http   *http.Request

	event audit.Event // for the record of the outcome
	// recorded: the use case keeps its own record of the outcome.
	recorded bool
}

// identify finds out whose request it is; failure is the type of the record of a
// refusal. For that record there is a request with every error. Errors: as authenticate.
func (e *Endpoints) identify(w http.ResponseWriter, r *http.Request, params map[string]string, failure string) (*clientRequest, error) {
	c, id, err := e.authenticate(r.Context(), w, r, params)
	q := &clientRequest{params: params, client: c, actor: actorOf(r, id), http: r}
	if c.Client != nil {
		q.actor = e.actor(r, c)
	}
	q.event = e.event(failure, q.actor)
	return q, err
}

// refused keeps a record of why nothing came of the request, and returns the reason.
func (e *Endpoints) refused(ctx context.Context, q *clientRequest, why error) error {
	if !q.recorded {
		q.event.Description = problemOf(why).text
		e.recordRefusal(ctx, q.event)
	}
	return why
}

// clientEndpoint is an endpoint, beside the token endpoint, for clients that say
// who they are: handle makes the answer, which status goes with. Whatever is
// refused is recorded as failure.
func (e *Endpoints) clientEndpoint(failure string, status int, handle func(ctx context.Context, q *clientRequest) (answer any, err error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		web.NoStore(w)
		params, err := web.Params(r)
		if err != nil {
			return err
		}
		ctx := r.Context()
		q, err := e.identify(w, r, params, failure)
		var answer any
		if err == nil {
			answer, err = handle(ctx, q)
		}
		if err != nil {
			return e.refused(ctx, q, err)
		}
		web.WriteJSON(w, status, web.TypeJSON, answer)
		return nil
	}
}

// actorOf is who acts in a request in which somebody says to be the client.
func actorOf(r *http.Request, clientID string) user.Actor {
	return user.Actor{ClientID: clip(clientID), IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
}

// event starts a record.
func (e *Endpoints) event(kind string, a user.Actor) audit.Event {
	return audit.Event{Type: kind, At: e.d.Now().UnixMicro(), ClientID: a.ClientID, IP: a.IP, UserAgent: a.UserAgent}
}

// recordRefusal keeps the record of a refusal, which stands whether or not it can
// be recorded, and whether or not the caller waits for it.
func (e *Endpoints) recordRefusal(ctx context.Context, event audit.Event) {
	_ = e.d.Audit.AppendEvents(context.WithoutCancel(ctx), event)
}

// recordFailure is recordRefusal of what needs no more than a text.
func (e *Endpoints) recordFailure(ctx context.Context, kind string, a user.Actor, text string) {
	event := e.event(kind, a)
	event.Description = text
	e.recordRefusal(ctx, event)
}
