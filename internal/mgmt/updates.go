package mgmt

import (
	"context"
	"net/http"

	"mangrove/internal/connection"
	"mangrove/internal/job"
)

func (a *api) updateRoutes() []route {
	return []route{
		{"POST", "/jobs/users-updates", oneOf(updateUsers), a.updateManyUsers},
	}
}

// updateParams are the members of a bulk update that the job carries.
type updateParams struct {
	ExternalID string `json:"external_id,omitempty"`
}

// updateManyUsers is POST /jobs/users-updates, which is ours: a file with a PATCH
// of one user in each row (user.ParseUpdate). The form is that of an import; the
// connection is needed only when rows name their users by e-mail.
func (a *api) updateManyUsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	return a.upload(w, r, by, uploadKind{job.UsersUpdate, "Create a job to update users", 0, (*upload).checkUpdate})
}

func (u *upload) checkUpdate(ctx context.Context) (*connection.Connection, any, error) {
	p := updateParams{ExternalID: u.fields["external_id"]}
	if u.fields["connection_id"] == "" {
		return &connection.Connection{}, p, nil
	}
	c, err := u.connection(ctx)
	return c, p, err
}
