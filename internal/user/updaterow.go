package user

import (
	"encoding/json"
	"errors"

	"mangrove/internal/errs"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// UpdateRow is what one row of a bulk update means: a PATCH of one user.
type UpdateRow struct {
	// ID or Email names the user; the other is empty.
	ID    ID
	Email string
	Patch PatchRequest
	// Supplied is the row for the error report, secrets masked: a compact JSON
	// object, empty when the row is none. It is there for refused rows, too.
	Supplied json.RawMessage
}

// patchMember holds the body of the PATCH.
const patchMember = "patch"

// updateForm is the row but for what is in the patch.
var updateForm = schema.Property{
	Types: schema.Object, Closed: true, Required: []string{patchMember},
	Members: []schema.Property{
		{Name: userIDMember, Types: schema.String, Format: schema.FormatUserID},
		{Name: profile.Email, Types: schema.String, Min: 1},
		{Name: patchMember, Types: schema.Object},
	},
}

// ParseUpdate decides what one row of a bulk update means:
//
//	{"user_id": "auth0|…", "patch": {…}}
//	{"email": "ann@example.com", "patch": {…}}
//
// The patch is what the body of PATCH /users/{id} may be. Either there are
// problems, or the row is complete.
func ParseUpdate(text []byte) (UpdateRow, []Problem) {
	whole, members, err := strictjson.Split(text)
	if err != nil {
		return UpdateRow{Supplied: json.RawMessage("{}")}, []Problem{notJSON(err)}
	}
	row := UpdateRow{Supplied: maskedUpdate(whole, members)}
	if wrong := updateForm.Check("", whole); len(wrong) > 0 {
		return row, UpdateProblems(schema.Error(wrong))
	}
	var patch json.RawMessage
	for _, m := range members {
		switch m.Name {
		case userIDMember:
			row.ID = ID(profile.TextOf(m.Value))
		case profile.Email:
			row.Email = profile.TextOf(m.Value)
		default:
			patch = m.Value
		}
	}
	if (row.ID == "") == (row.Email == "") {
		return row, []Problem{{Code: schema.NotPassed, Message: "A row has either user_id or email"}}
	}
	inner, err := strictjson.Object(patch)
	if err != nil {
		return row, []Problem{notJSON(err)} // the row is valid, so this cannot be
	}
	if row.Patch, err = ReadPatch(inner); err != nil {
		return row, PatchProblems(err)
	}
	return row, nil
}

// Codes of a bulk update that the reference has no word for.
const (
	CodeUserNotFound  = "USER_NOT_FOUND"
	CodeUserAmbiguous = "USER_AMBIGUOUS"
)

// UpdateProblems words a refusal as problems of a row; nil when err is no
// refusal but a failure of ours. Messages are those of PATCH, but that
// violations are worded as in an import (reference/users.md §6.4).
func UpdateProblems(err error) []Problem { return updateProblems(err, "") }

// PatchProblems is UpdateProblems for what is wrong with the patch itself:
// paths begin at the row.
func PatchProblems(err error) []Problem { return updateProblems(err, patchMember) }

func updateProblems(err error, at string) []Problem {
	var violations schema.Error
	var weak *passwd.Weak
	var refused *errs.Error
	switch {
	case errors.As(err, &violations):
		list := make([]Problem, len(violations))
		for i, v := range violations {
			v.Path = below(at, v.Path)
			list[i] = Problem{Code: v.Code, Message: v.Row(), Path: v.Path}
		}
		return list
	case errors.As(err, &weak):
		v := schema.Violation{Code: schema.NotPassed, Message: weak.Name + ": " + weak.Message, Path: below(at, "password")}
		return []Problem{{Code: v.Code, Message: v.Row(), Path: v.Path}}
	case !errors.As(err, &refused):
		return nil
	}
	p := Problem{Message: refused.Text}
	switch {
	case refused.Kind == errs.Internal || refused.Kind == errs.Unavailable || refused.Kind == errs.TooMany:
		return nil
	case errors.Is(err, ErrNotFound):
		p.Code = CodeUserNotFound
	case errors.Is(err, ErrAmbiguous):
		p.Code = CodeUserAmbiguous
	case errors.Is(err, ErrUsernameTaken):
		p.Code = "CONFLICT_USERNAME"
	case refused.Kind == errs.Conflict:
		p.Code = "DUPLICATED_USER"
	case errors.Is(err, ErrNoConnection):
		p.Code = "CONNECTION_NOT_FOUND"
	default:
		p.Code = schema.NotPassed
	}
	return []Problem{p}
}

// below is a path within a member of the row; of the member as a whole, its name.
func below(member, path string) string {
	switch {
	case member == "":
		return path
	case path == "":
		return member
	}
	return member + "." + path
}

// maskedUpdate is the text of a row with all secrets masked, those of the patch
// too. A patch that is no object has no member to tell what is a secret.
func maskedUpdate(text json.RawMessage, members []strictjson.Member) json.RawMessage {
	for i, m := range members {
		if m.Name != patchMember {
			continue
		}
		inner, within, err := strictjson.Split(m.Value)
		var patch json.RawMessage
		if err == nil {
			patch = Masked(inner, within)
		} else {
			patch = appendMasked(nil, "", m.Value)
		}
		if string(patch) != string(m.Value) {
			changed := append([]strictjson.Member(nil), members...)
			changed[i].Value = patch
			text, members = strictjson.Join(changed), changed
		}
		break // names are unique
	}
	return Masked(text, members)
}
