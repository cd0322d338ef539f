package mgmt

import (
	"slices"

	"mangrove/internal/opt"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
)

// userBody is a body of POST or PATCH /users, sorted into what the profile
// engine decides and what the surface acts on. verify_email and its like are
// checked and go no further: they ask for a message.
type userBody struct {
	attributes []profile.Change
	members    []strictjson.Member // the others, each of a form that the door takes
}

// splitBody checks every member at the door. Unknown ones are told first, as the
// reference does.
func splitBody(door profile.Door, check func([]profile.Change) error, members []strictjson.Member) (userBody, error) {
	body := userBody{attributes: make([]profile.Change, 0, len(members))}
	var wrong []schema.Violation
	for _, m := range members {
		form := profile.Surface(door, m.Name)
		if form == nil {
			body.attributes = append(body.attributes, profile.Change{Name: m.Name, Value: m.Value})
			continue
		}
		wrong = append(wrong, form.Check(m.Name, m.Value)...)
		body.members = append(body.members, m)
	}
	if err := check(body.attributes); err != nil {
		return body, err
	}
	return body, checkBody(wrong)
}

// get is the value of a member that is no attribute; nil when absent.
func (b *userBody) get(name string) profile.Value {
	for _, m := range b.members {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

func (b *userBody) text(name string) string { return profile.TextOf(b.get(name)) }

// createRequest reads the body of POST /users (reference/users.md §3.3).
func createRequest(members []strictjson.Member) (user.CreateRequest, error) {
	b, err := splitBody(profile.AtCreate, profile.CheckCreate, members)
	if err != nil {
		return user.CreateRequest{}, err
	}
	if b.get("connection") == nil {
		return user.CreateRequest{}, bodyError(schema.Missing("connection"))
	}
	return user.CreateRequest{
		Connection: b.text("connection"),
		Changes:    b.attributes,
		UserID:     b.text("user_id"),
		Password:   b.text("password"),
	}, nil
}

// patchRequest reads the body of PATCH /users/{id} (reference/users.md §3.5). A
// body that names nothing to change is refused; the connection alone is nothing.
func patchRequest(members []strictjson.Member) (user.PatchRequest, error) {
	b, err := splitBody(profile.AtPatch, profile.CheckPatch, members)
	if err != nil {
		return user.PatchRequest{}, err
	}
	changes := func(m strictjson.Member) bool { return m.Name != "connection" }
	if len(b.attributes) == 0 && !slices.ContainsFunc(b.members, changes) {
		return user.PatchRequest{}, profile.EmptyPatch()
	}
	req := user.PatchRequest{Changes: b.attributes, Connection: b.text("connection")}
	switch v := b.get("password"); {
	case v == nil:
	case profile.IsNull(v):
		req.Password = opt.Null[string]()
	default:
		req.Password = opt.Of(profile.TextOf(v))
	}
	return req, nil
}
