package page

import "slices"

// input is a field of a form.
type input struct {
	Name, Type   string
	Label        string // a key of the texts
	Value        string
	Autocomplete string
	Mode         string // inputmode; empty: by Type
	Max          int    // characters; 0: no bound
	Required     bool
	Code         bool // typed from somewhere else, so set in wide letters
	Rules        bool // the rules of a password belong to it
	Focus        bool
	// Problem concerns this field alone; Bad: the page's problem concerns it.
	Problem Problem
	Bad     bool
}

// ID of the element.
func (i input) ID() string { return i.Name }

// Invalid is the value of aria-invalid.
func (i input) Invalid() bool { return i.Bad || i.Problem != "" }

// DescribedBy is the value of aria-describedby: the ids of what explains the
// field; may be empty.
func (i input) DescribedBy() string {
	ids := ""
	add := func(id string) {
		if ids != "" {
			ids += " "
		}
		ids += id
	}
	if i.Problem != "" {
		add("problem-" + i.Name)
	}
	if i.Bad {
		add("problem")
	}
	if i.Rules {
		add("rules")
	}
	return ids
}

const maxIdentifier = 320 // the longest e-mail address

// identifier is the field in which a person says who they are.
func identifier(ids Identifiers, value string) input {
	in := input{Name: "username", Type: "text", Label: ids.label(), Value: value, Autocomplete: "username", Max: maxIdentifier, Required: true}
	switch ids {
	case Identifiers{Email: true}, Identifiers{}:
		in.Mode = "email"
	case Identifiers{Phone: true}:
		in.Type = "tel"
	}
	return in
}

// label is the key of what an identifier is called.
func (ids Identifiers) label() string {
	switch ids {
	case Identifiers{Username: true}:
		return "usernameLabel"
	case Identifiers{Phone: true}:
		return "phoneLabel"
	case Identifiers{Email: true, Username: true}:
		return "emailOrUsernameLabel"
	case Identifiers{Email: true, Phone: true}:
		return "emailOrPhoneLabel"
	case Identifiers{Phone: true, Username: true}:
		return "phoneOrUsernameLabel"
	case Identifiers{Email: true, Phone: true, Username: true}:
		return "anyIdentifierLabel"
	}
	return "emailLabel"
}

func currentPassword() input {
	return input{Name: "password", Type: "password", Label: "passwordLabel", Autocomplete: "current-password", Required: true}
}

func newPassword(label string, rules bool) input {
	return input{Name: "password", Type: "password", Label: label, Autocomplete: "new-password", Required: true, Rules: rules}
}

func oneTimeCode(length int) input {
	return input{Name: "code", Type: "text", Label: "codeLabel", Autocomplete: "one-time-code", Mode: "numeric", Max: length, Required: true, Code: true}
}

// signUpKinds are the fields of sign-up beside the password.
var signUpKinds = map[string]input{
	"email":        {Type: "text", Label: "emailLabel", Autocomplete: "email", Mode: "email", Max: maxIdentifier},
	"phone_number": {Type: "tel", Label: "phoneLabel", Autocomplete: "tel", Max: 32},
	"username":     {Type: "text", Label: "usernameLabel", Autocomplete: "username", Max: 128},
	"name":         {Type: "text", Label: "nameLabel", Autocomplete: "name", Max: 300},
	"given_name":   {Type: "text", Label: "givenNameLabel", Autocomplete: "given-name", Max: 150},
	"family_name":  {Type: "text", Label: "familyNameLabel", Autocomplete: "family-name", Max: 150},
	"nickname":     {Type: "text", Label: "nicknameLabel", Autocomplete: "nickname", Max: 300},
}

func (f SignUpField) input() input {
	in, ok := signUpKinds[f.Name]
	if !ok {
		in = input{Type: "text", Label: f.Name, Autocomplete: "off"}
	}
	in.Name, in.Value, in.Required, in.Problem = f.Name, f.Value, f.Required, f.Problem
	return in
}

// concerns says which fields are about what went wrong; none: the problem is
// with none of them.
func (p Problem) concerns() []string {
	switch p {
	case WrongCredentials:
		return []string{"username", "password"}
	case WrongCode, CodeExpired, TooManyTries, WrongRecoveryCode:
		return []string{"code"}
	case WrongUserCode:
		return []string{"user_code"}
	case InvalidEmail:
		return []string{"email", "username"}
	case InvalidPhone:
		return []string{"phone_number", "username"}
	case InvalidUsername:
		return []string{"username"}
	case PasswordWeak, PasswordCommon, PasswordPersonal, PasswordUsed:
		return []string{"password"}
	case PasswordMismatch:
		return []string{"password", "again"}
	case SignupRefused, SignupTaken:
		return []string{"email", "phone_number", "username"}
	case MissingInput:
		return []string{"username", "email", "phone_number", "password", "again", "code", "user_code", "name", "given_name", "family_name", "nickname"}
	}
	return nil
}

// judge marks the fields that a problem concerns and chooses where the cursor
// is: in the first that is wrong, or the first that is empty.
func judge(inputs []input, p Problem) []input {
	concerned := p.concerns()
	for i := range inputs {
		in := &inputs[i]
		in.Bad = slices.Contains(concerned, in.Name) && (p != MissingInput || in.Required && in.Value == "")
	}
	for _, chosen := range []func(input) bool{
		func(in input) bool { return in.Problem != "" },
		func(in input) bool { return in.Bad && in.Value == "" },
		input.Invalid,
		func(in input) bool { return in.Value == "" },
	} {
		if i := slices.IndexFunc(inputs, chosen); i >= 0 {
			inputs[i].Focus = true
			break
		}
	}
	return inputs
}
