package customdb

import (
	"encoding/json"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Done reads the answer of an action that changes something: create, verify,
// change_password, change_email, change_username, change_phone_number, delete. It is a
// *Failure of kind Failed where the answer is false. create and delete may answer
// nothing at all; the others must say true, or, of change_password, an object.
func Done(a Action, answer json.RawMessage) error {
	switch {
	case string(answer) == "false":
		return &Failure{Kind: Failed, Message: "the answer is false"}
	case a == Create, a == Delete:
		return nil
	case string(answer) == "true", a == ChangePassword && len(answer) > 0 && answer[0] == '{':
		return nil
	case len(answer) == 0, profile.IsNull(answer):
		return &Failure{Kind: Failed, Message: "nothing was answered, where true means that it was done"}
	}
	return broken("the answer must be true or false")
}

// PasswordResetAt is last_password_reset in the answer of change_password, in
// microseconds; zero: the answer does not say. The answer has milliseconds since 1970.
func PasswordResetAt(answer json.RawMessage) int64 {
	var at struct {
		Reset float64 `json:"last_password_reset"`
	}
	if len(answer) == 0 || answer[0] != '{' || json.Unmarshal(answer, &at) != nil {
		return 0
	}
	const latest = 253402300799999 // the last millisecond of the year 9999
	if at.Reset <= 0 || at.Reset > latest {
		return 0
	}
	return int64(at.Reset) * 1000
}

// ListPage is one page of list (ours).
type ListPage struct {
	People []json.RawMessage // profiles, each for ReadPerson
	// Next is the cursor of the next page; empty: this was the last.
	Next string
}

// ReadList reads the answer of list: an object with users and next, or an array, which
// is the last page.
func ReadList(answer json.RawMessage) (ListPage, error) {
	if len(answer) > 0 && answer[0] == '[' {
		var list []json.RawMessage
		if json.Unmarshal(answer, &list) != nil {
			return ListPage{}, broken("the list cannot be read")
		}
		return ListPage{People: list}, nil
	}
	d := strictjson.ParseDocument(answer)
	var p ListPage
	if d == nil || json.Unmarshal(d["users"], &p.People) != nil {
		return ListPage{}, broken("the answer of list must be an array, or an object with the array users")
	}
	if d.Has("next") {
		p.Next = d.Text("next")
		if p.Next == "" {
			p.Next = subject(d["next"])
		}
	}
	return p, nil
}
