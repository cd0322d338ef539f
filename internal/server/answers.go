package server

import (
	"context"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/login"
	"mangrove/internal/op"
	"mangrove/internal/page"
	"mangrove/internal/session"
)

// join hands the endpoints and the browser flow the functions of one another.
func (s *Server) join(endpoints *op.Endpoints, flow *login.Flow, renderer *page.Renderer) {
	fields := func(answer []op.Parameter) []page.Field {
		list := make([]page.Field, len(answer))
		for i, p := range answer {
			list[i] = page.Field{Name: p.Name, Value: p.Value}
		}
		return list
	}
	endpoints.Interact, endpoints.MFADue = flow.Interact, flow.MFADue
	endpoints.SignedOutPage = flow.SignedOut
	endpoints.LeaveUpstream = flow.LeaveUpstream
	endpoints.ConfirmLogout = func(w http.ResponseWriter, r *http.Request, answer []op.Parameter) error {
		return flow.ConfirmLogout(w, r, fields(answer))
	}
	endpoints.Message = func(w http.ResponseWriter, r *http.Request, origin string, answer []op.Parameter) error {
		return renderer.Show(w, r, http.StatusOK, page.WebMessage{Target: origin, Answer: fields(answer)})
	}
	endpoints.FormPost = func(w http.ResponseWriter, r *http.Request, action string, answer []op.Parameter) error {
		return renderer.Show(w, r, http.StatusOK, page.FormPost{Action: action, Fields: fields(answer)})
	}
	endpoints.SignedOut = func(ctx context.Context, v session.Session, e audit.Event) error {
		return s.store.SignOut(ctx, v.Hash, e)
	}
	endpoints.SessionClient = flow.NoteClient
	s.runner.Teller = endpoints
}
