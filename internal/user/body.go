package user

import (
	"slices"

	"mangrove/internal/opt"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// body is a body of POST or PATCH /users, sorted into what the profile engine
// decides and what the use case acts on. verify_phone_number is checked and goes no
// further: it asks for a message that cannot be sent.
type body struct {
	attributes []profile.Change
	members    []strictjson.Member // the others, each of a form that the door takes
}

// splitBody checks every member at the door. Unknown ones are told first, as the
// reference does.
func splitBody(door profile.Door, check func([]profile.Change) error, members []strictjson.Member) (body, error) {
	b := body{attributes: make([]profile.Change, 0, len(members))}
	var wrong schema.Error
	for _, m := range members {
		form := profile.Surface(door, m.Name)
		if form == nil {
			b.attributes = append(b.attributes, profile.Change{Name: m.Name, Value: m.Value})
			continue
		}
		wrong = append(wrong, form.Check(m.Name, m.Value)...)
		b.members = append(b.members, m)
	}
	if err := check(b.attributes); err != nil {
		return b, err
	}
	if len(wrong) > 0 {
		return b, wrong
	}
	return b, nil
}

// get is the value of a member that is no attribute; nil when absent.
func (b *body) get(name string) profile.Value {
	for _, m := range b.members {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

func (b *body) text(name string) string { return profile.TextOf(b.get(name)) }

// flag is a boolean member, absent where the body has none.
func (b *body) flag(name string) opt.Value[bool] {
	v := b.get(name)
	if v == nil {
		return opt.Value[bool]{}
	}
	return opt.Of(string(v) == "true")
}

// ReadCreate reads the body of POST /users (reference/users.md §3.3). Its errors
// are schema.Error.
func ReadCreate(members []strictjson.Member) (CreateRequest, error) {
	b, err := splitBody(profile.AtCreate, profile.CheckCreate, members)
	if err != nil {
		return CreateRequest{}, err
	}
	if b.get("connection") == nil {
		return CreateRequest{}, schema.Error{schema.Missing("connection")}
	}
	return CreateRequest{
		Connection:  b.text("connection"),
		Changes:     b.attributes,
		UserID:      b.text("user_id"),
		Password:    b.text("password"),
		VerifyEmail: b.flag("verify_email"),
	}, nil
}

// ReadPatch reads the body of PATCH /users/{id} (reference/users.md §3.5). A
// body that names nothing to change is refused; the connection alone is nothing.
// Its errors are schema.Error.
func ReadPatch(members []strictjson.Member) (PatchRequest, error) {
	b, err := splitBody(profile.AtPatch, profile.CheckPatch, members)
	if err != nil {
		return PatchRequest{}, err
	}
	changes := func(m strictjson.Member) bool { return m.Name != "connection" }
	if len(b.attributes) == 0 && !slices.ContainsFunc(b.members, changes) {
		return PatchRequest{}, profile.EmptyPatch()
	}
	req := PatchRequest{
		Changes: b.attributes, Connection: b.text("connection"), VerifyEmail: b.flag("verify_email"), ClientID: b.text("client_id"),
	}
	switch v := b.get("password"); {
	case v == nil:
	case profile.IsNull(v):
		req.Password = opt.Null[string]()
	default:
		req.Password = opt.Of(profile.TextOf(v))
	}
	return req, nil
}
