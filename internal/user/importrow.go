package user

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// ImportOptions are the facts of an import beside its rows.
type ImportOptions struct {
	JobID string // the actor of everything that it writes
	// Upsert: a row may update the user who has its e-mail.
	Upsert bool
	// Widen is what else it may change then. With All that is the password, too.
	Widen    profile.UpsertOptions
	Defaults profile.Defaults
	Now      int64 // microseconds
	// NewID makes the id of a user whose row has none, without prefix.
	NewID func() string
}

// ImportRow is what one row of an import file means.
type ImportRow struct {
	// New is the user to insert.
	New *User
	// Supplied is the row for the error report, secrets masked: a compact JSON
	// object, empty when the row is none. It is there for refused rows, too.
	Supplied json.RawMessage
	// Upsert changes the user who is there already; nil unless asked for. It may
	// run more than once. Its errors are *errs.Error with the problem's code and
	// text, and then it changed nothing.
	Upsert func(*User) (Effect, error)
}

// Problem is why a row was refused (reference/users.md §6.4). Message repeats no secret.
type Problem struct {
	Code    string
	Message string
	Path    string // empty: not about one property
}

// Members of a row that are no attributes of the profile.
const (
	userIDMember     = "user_id"
	hashMember       = "password_hash"
	customHashMember = "custom_password_hash"
	factorsMember    = "mfa_factors"
)

// readOnly are members that exports of ours and of the hosted service have and
// that an import has no use for. They are passed over, so that an export can be
// imported as it is; every other unknown member refuses its row. The
// connection is that of the import, whatever the row says.
var readOnly = map[string]bool{
	"blocked_for": true, "connection": true, "created_at": true, "guardian_authenticators": true, "identities": true,
	"last_ip": true, "last_login": true, "last_password_reset": true, "logins_count": true,
	"multifactor": true, "multifactor_last_modified": true, "tenant": true, "updated_at": true,
}

// ParseRow decides what one row of an import file means for a database
// connection of ours (reference/users.md §6.2). Either there are problems, or
// New and, if asked for, Upsert are set.
//
//   - The profile is that of profile.Create: unknown members refuse the row
//     (those of readOnly are passed over), e-mail and username are kept in lower case.
//   - user_id comes without prefix; auth0| in front, as exports have it, is taken off.
//   - Hashes are checked against the ceilings of passwd. Without one the user has
//     no password, and a later import may bring it.
//   - No verification mail, no password policy.
//   - Upsert changes what profile.Upsert changes, and the password only while
//     there is none or nobody has signed in with the imported one; with o.Widen.All
//     always. Second factors of a user who is there stay. A row that finds
//     everything as it would make it changes nothing.
func ParseRow(c *connection.Connection, row []byte, o ImportOptions) (ImportRow, []Problem) {
	text, members, err := strictjson.Split(row)
	if err != nil {
		return ImportRow{Supplied: json.RawMessage("{}")}, []Problem{notJSON(err)}
	}
	r := rowReader{ImportRow: ImportRow{Supplied: Masked(text, members)}, seen: make([]profile.Change, 0, len(members))}
	for _, m := range members {
		switch m.Name {
		case userIDMember:
			r.userID(m.Value)
		case hashMember:
			r.bcrypt(m.Value)
		case customHashMember:
			r.custom(m.Value)
		case factorsMember:
			r.secondFactors(m.Value)
		default:
			if !readOnly[m.Name] {
				r.seen = append(r.seen, profile.Change{Name: m.Name, Value: m.Value})
			}
		}
	}
	src := profile.Source{Origin: profile.FromImport, Connection: c.ID, Actor: o.JobID, At: o.Now}
	p, err := profile.Create(c.Facts(), r.seen, src, o.Defaults)
	r.refuse(err)
	if len(r.problems) > 0 {
		return ImportRow{Supplied: r.Supplied}, r.problems
	}
	if r.id == "" {
		r.id = o.NewID()
	}
	r.New = &User{
		Version: 1, Profile: p, MFAFactors: r.factors, CreatedAt: o.Now, UpdatedAt: o.Now,
		Password: Password{Hash: r.hash, Imported: r.hash != ""},
	}
	r.New.SetPrimary(c, r.id)
	if o.Upsert {
		hash := r.customHash
		if o.Widen.All {
			hash = r.hash
		}
		r.Upsert = upsert(c, r.seen, p.Text(profile.Email), hash, o.Widen, src)
	}
	return r.ImportRow, nil
}

var errHashDefined = errs.New(errs.Conflict, "CONFLICT",
	"A custom_password_hash was provided, but the user already has password hash defined.")

// upsert is what a row does to the user who has its e-mail; hash is empty when
// the password stays.
func upsert(c *connection.Connection, in []profile.Change, email, hash string, o profile.UpsertOptions, src profile.Source) func(*User) (Effect, error) {
	return func(u *User) (Effect, error) {
		if u.Primary().ConnectionID != c.ID {
			// The e-mail is unique within the connection only.
			return Effect{}, errs.New(errs.Conflict, "CONFLICT_EMAIL", "The user belongs to another connection.")
		}
		if email != "" && !strings.EqualFold(u.Profile.Text(profile.Email), email) {
			return Effect{}, errs.New(errs.Conflict, "CONFLICT_EMAIL", "The email belongs to an identity that is linked to another user.")
		}
		if hash != "" && u.Password.Hash != "" && !u.Password.Imported && !o.All {
			return Effect{}, errHashDefined
		}
		p, changed, err := profile.Upsert(c.Facts(), u.Profile, in, o, src)
		if err != nil {
			var r rowReader
			r.refuse(err)
			return Effect{}, errs.New(errs.Invalid, r.problems[0].Code, "%s", r.problems[0].Message)
		}
		newPassword := hash != "" && hash != u.Password.Hash
		if len(changed) == 0 && !newPassword {
			return Effect{Unchanged: true}, nil
		}
		e := Effect{EndSessions: profile.EndsSessions(p, changed) || newPassword && u.Password.Hash != ""}
		u.Profile, u.UpdatedAt = p, src.At
		if newPassword {
			// With the time, links to set a new one end with the old password.
			u.Password = Password{Hash: hash, SetAt: src.At, Imported: true}
			e.Forgives = u.forgiven()
		}
		return e, nil
	}
}

// rowReader gathers what the members of a row say, and all that is wrong.
type rowReader struct {
	ImportRow
	seen       []profile.Change
	id         string
	hash       string // stored form of either hash
	customHash string // the same, of custom_password_hash
	hashes     int
	factors    profile.Value
	problems   []Problem
}

func notJSON(err error) Problem {
	var e *strictjson.Error
	if errors.As(err, &e) {
		return Problem{Code: "INVALID_FORMAT", Message: fmt.Sprintf("The row is not a valid JSON object: %s at byte %d", e.Text, e.Offset)}
	}
	return Problem{Code: "INVALID_FORMAT", Message: "The row is not a valid JSON object"}
}

// violate notes a violation in the words of §6.4.
func (r *rowReader) violate(v schema.Violation) {
	r.problems = append(r.problems, Problem{Code: v.Code, Message: v.Row(), Path: v.Path})
}

// refuse notes what an engine refused.
func (r *rowReader) refuse(err error) {
	if err == nil {
		return
	}
	var violations schema.Error
	if errors.As(err, &violations) {
		for _, v := range violations {
			r.violate(v)
		}
		return
	}
	var hash *passwd.Refused
	if errors.As(err, &hash) {
		r.violate(schema.Violation{Code: hash.Code, Message: hash.Text, Path: hash.Path})
		return
	}
	e := errs.From(err)
	code := e.Code
	if code != strings.ToUpper(code) || code == "" {
		code = schema.NotPassed // the codes of the Management API are not those of a job
	}
	r.problems = append(r.problems, Problem{Code: code, Message: e.Text})
}

// userIDForm is what user_id has to look like.
var userIDForm = profile.Surface(profile.AtImport, userIDMember)

func (r *rowReader) userID(v json.RawMessage) {
	wrong := userIDForm.Check(userIDMember, v)
	for _, w := range wrong {
		r.violate(w)
	}
	if len(wrong) == 0 {
		r.id = strings.TrimPrefix(profile.TextOf(v), "auth0|")
	}
}

func (r *rowReader) oneHash() bool {
	r.hashes++
	if r.hashes == 2 {
		r.violate(schema.Violation{Code: schema.NotPassed, Message: "password_hash and custom_password_hash exclude each other"})
	}
	return r.hashes == 1
}

var textForm = schema.Property{Types: schema.String}

func (r *rowReader) bcrypt(v json.RawMessage) {
	if !r.oneHash() {
		return
	}
	if wrong := textForm.Check(hashMember, v); len(wrong) > 0 {
		r.violate(wrong[0])
		return
	}
	stored, err := passwd.ParseBcrypt(profile.TextOf(v))
	if err != nil {
		r.refuse(at(hashMember, err))
		return
	}
	r.hash = stored
}

func (r *rowReader) custom(v json.RawMessage) {
	if !r.oneHash() {
		return
	}
	stored, err := passwd.ParseCustom(v)
	if err != nil {
		r.refuse(at(customHashMember, err))
		return
	}
	r.hash, r.customHash = stored, stored
}

// at puts the path of a refused hash below the member that brought it.
func at(member string, err error) error {
	var h *passwd.Refused
	if !errors.As(err, &h) {
		return err
	}
	moved := *h
	moved.Path = strings.TrimSuffix(member+"."+h.Path, ".")
	return &moved
}

// What second factors look like; a list of one kind to a factor.
var (
	factorsForm = schema.Property{Types: schema.Array, Min: 1, Max: 10, Items: &schema.Property{Types: schema.Object}}
	factorForms = map[string]factorForm{
		"totp":  {"secret", regexp.MustCompile(`^[A-Z2-7]+$`).MatchString, schema.PatternMismatch, "String does not match pattern ^[A-Z2-7]+$"},
		"phone": {"value", regexp.MustCompile(`^\+[0-9]{1,15}$`).MatchString, schema.PatternMismatch, `String does not match pattern ^\+[0-9]{1,15}$`},
		"email": {"value", schema.IsEmail, schema.InvalidFormat, "Object didn't pass validation for format email"},
	}
)

// factorForm is the one member of a factor. Its text does not repeat the value:
// a secret in the wrong spelling is a secret still.
type factorForm struct {
	member string
	ok     func(string) bool
	code   string
	text   string
}

func (r *rowReader) secondFactors(v json.RawMessage) {
	before := len(r.problems)
	for _, w := range factorsForm.Check(factorsMember, v) {
		r.violate(w)
	}
	if len(r.problems) > before {
		return
	}
	for i, e := range schema.Elements(v) {
		r.factor(fmt.Sprintf("%s[%d]", factorsMember, i), e)
	}
	if len(r.problems) == before {
		r.factors = v
	}
}

func (r *rowReader) factor(path string, v json.RawMessage) {
	n := 0
	for m := range schema.Members(v) {
		name := m.Name()
		form, ok := factorForms[name]
		if n++; !ok || n > 1 {
			r.violate(schema.Violation{Code: "MFA_FACTORS_FAILED", Path: path, Message: "A factor is exactly one of totp, phone and email"})
			return
		}
		r.factorValue(path+"."+name, form, m.Value)
	}
	if n == 0 {
		r.violate(schema.Violation{Code: "MFA_FACTORS_FAILED", Path: path, Message: "A factor is exactly one of totp, phone and email"})
	}
}

func (r *rowReader) factorValue(path string, form factorForm, v json.RawMessage) {
	shape := schema.Property{
		Types: schema.Object, Closed: true, Required: []string{form.member},
		Members: []schema.Property{{Name: form.member, Types: schema.String}},
	}
	wrong := shape.Check(path, v)
	for _, w := range wrong {
		r.violate(w)
	}
	if len(wrong) > 0 {
		return
	}
	if !form.ok(profile.TextOf(profile.Member(v, form.member))) {
		r.violate(schema.Violation{Code: form.code, Message: form.text, Path: path + "." + form.member})
	}
}

// validFactors are second factors as an import row may have them; nil: they are none.
func validFactors(v profile.Value) profile.Value {
	if v == nil {
		return nil
	}
	var r rowReader
	r.secondFactors(v)
	return r.factors
}
