package login

import (
	"net/http"

	"mangrove/internal/connection"
	"mangrove/internal/user"
)

// next is the one place that decides what follows once a person has proven who
// they are. p was taken, so nobody comes here twice with it; u is not blocked.
//
// The session begins and the application is answered: no further step (second
// factor, consent) stands between them.
func (f *Flow) next(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, c *connection.Connection) error {
	s, err := f.begin(w, r, u, c.ID)
	if err != nil {
		return err
	}
	return f.d.Respond(w, r, p.req, s)
}
