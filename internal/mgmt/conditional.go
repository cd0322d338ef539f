package mgmt

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/user"
)

// Users and connections have a version, which their answers carry as the ETag.
// If-Match makes a change of one conditional (RFC 9110 §13.1.1).

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func setETag(w http.ResponseWriter, version int64) { w.Header()["Etag"] = []string{etag(version)} }

// conditional runs a change of what has a version: with the version that
// If-Match asks for, zero for any. A refusal because of it tells the version
// that there is now.
func conditional(w http.ResponseWriter, r *http.Request, current func() (int64, error), change func(ifVersion int64) error) error {
	want, err := ifVersion(r.Header["If-Match"], current)
	if err != nil {
		return err
	}
	err = change(want)
	if errs.KindOf(err) == errs.Stale {
		if now, e := current(); e == nil {
			setETag(w, now)
		}
	}
	return err
}

// userVersion and connectionVersion read the version that there is.
func (a *api) userVersion(r *http.Request, id user.ID) func() (int64, error) {
	return func() (int64, error) {
		v, err := a.UserStore.View(r.Context(), id)
		return v.Version, err
	}
}

func (a *api) connectionVersion(r *http.Request, id string) func() (int64, error) {
	return func() (int64, error) {
		c, err := a.Connections.Get(r.Context(), id)
		if err != nil {
			return 0, err
		}
		return c.Version, nil
	}
}

// noVersion is the version of nothing.
const noVersion = -1

// ifVersion is the version that If-Match asks for; 0 when it asks for none. Of
// several it is the one that there is now.
func ifVersion(lines []string, current func() (int64, error)) (int64, error) {
	want := matchVersions(lines)
	if len(want) <= 1 {
		if len(want) == 0 {
			return 0, nil
		}
		return want[0], nil
	}
	now, err := current()
	switch {
	case errors.Is(err, user.ErrNotFound), errors.Is(err, connection.ErrNotFound):
		return noVersion, nil // whoever makes the change knows what that means
	case err != nil:
		return 0, err
	}
	for _, n := range want {
		if n == now {
			return n, nil
		}
	}
	return noVersion, nil
}

// matchVersions reads If-Match: none for "*" and for no header; noVersion for
// what can be no version of ours, which weak tags are too.
func matchVersions(lines []string) []int64 {
	if len(lines) == 0 {
		return nil
	}
	var out []int64
	for tag := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return nil
		}
		n, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err != nil || n <= 0 || tag != etag(n) {
			n = noVersion
		}
		out = append(out, n)
	}
	return out
}
