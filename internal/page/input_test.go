package page

import (
	"slices"
	"testing"
)

// Which fields a problem marks, and where the cursor is.
func TestJudge(t *testing.T) {
	in := func(name, value string) input { return input{Name: name, Value: value, Required: true} }
	flawed := in("email", "x")
	flawed.Problem = InvalidEmail
	for _, row := range []struct {
		name    string
		problem Problem
		inputs  []input
		bad     []string
		focus   string
	}{
		{"nothing typed", "", []input{in("username", ""), in("password", "")}, nil, "username"},
		{"a hint", "", []input{in("username", "ada"), in("password", "")}, nil, "password"},
		{"all typed", "", []input{in("username", "ada")}, nil, ""},
		{"wrong password", WrongCredentials, []input{in("username", "ada"), in("password", "")}, []string{"username", "password"}, "password"},
		{"wrong address", InvalidEmail, []input{in("username", "ada"), in("password", "")}, []string{"username"}, "username"},
		{"one is missing", MissingInput, []input{in("username", "ada"), in("password", "")}, []string{"password"}, "password"},
		{"what may be missing", MissingInput, []input{{Name: "name"}, in("password", "")}, []string{"password"}, "password"},
		{"none of them", Busy, []input{in("username", "ada"), in("password", "")}, nil, "password"},
		{"one of its own", PasswordWeak, []input{flawed, in("password", "")}, []string{"password"}, "email"},
		{"mismatch", PasswordMismatch, []input{in("password", ""), in("again", "")}, []string{"password", "again"}, "password"},
		{"in no catalogue", "Something else.", []input{in("username", "ada")}, nil, ""},
	} {
		var bad []string
		focus := ""
		for _, i := range judge(row.inputs, row.problem) {
			if i.Bad {
				bad = append(bad, i.Name)
			}
			if i.Focus {
				focus += i.Name
			}
		}
		if !slices.Equal(bad, row.bad) || focus != row.focus {
			t.Errorf("%s: %v, cursor in %q; want %v, %q", row.name, bad, focus, row.bad, row.focus)
		}
	}
}
