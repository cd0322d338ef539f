package login

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/page"
	"mangrove/internal/ticket"
	"mangrove/internal/web"
)

// unblockPath is where a mailed link releases an account (reference/authentication.md §8.1).
const unblockPath = "/u/unblock"

func (f *Flow) mountUnblock(r chi.Router) {
	r.Get(unblockPath, web.Serve(f.showUnblock, f.fail).ServeHTTP)
	r.Post(unblockPath, web.Serve(f.unblock, f.fail).ServeHTTP)
}

// showUnblock is GET /u/unblock?ticket=…. It changes nothing.
func (f *Flow) showUnblock(w http.ResponseWriter, r *http.Request) error {
	secret, res, err := f.look(r, ticket.Unblock)
	if err != nil {
		return err
	}
	if res.Err != nil {
		return f.tell(w, r, res)
	}
	return f.show(w, r, http.StatusOK, nil, page.Press{Kind: page.PressUnblock, Action: ticketAction(unblockPath, secret)})
}

// unblock is POST /u/unblock?ticket=….
func (f *Flow) unblock(w http.ResponseWriter, r *http.Request) error {
	if !f.sameSite(r) {
		return errForeign
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	res, err := f.d.Tickets.Release(r.Context(), q.Get("ticket"), visitor(r))
	if err != nil {
		return err
	}
	if res.Err != nil {
		return f.tell(w, r, res)
	}
	return f.show(w, r, http.StatusOK, nil, page.Told{Kind: page.ToldUnblocked})
}
