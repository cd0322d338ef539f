package passwd

import (
	"encoding/json"
	"slices"
	"strings"
)

// maxStored bounds a stored form: four texts of maxHashText, escaped.
const maxStored = 8 * maxHashText

// custom is custom_password_hash (reference/users.md §6.3), checked.
type custom struct {
	Algorithm string         `json:"algorithm"`
	Hash      customHash     `json:"hash"`
	Salt      *customSalt    `json:"salt,omitzero"`
	Password  customPassword `json:"password,omitzero"`
	KeyLen    int            `json:"keylen,omitzero"`
	// Cost, BlockSize and Parallelization are scrypt's N, r and p; zero: the default.
	Cost            int `json:"cost,omitzero"`
	BlockSize       int `json:"blockSize,omitzero"`
	Parallelization int `json:"parallelization,omitzero"`
}

type customHash struct {
	Value    string     `json:"value"`
	Encoding string     `json:"encoding,omitzero"`
	Digest   string     `json:"digest,omitzero"`
	Key      *customKey `json:"key,omitzero"`
}

type customKey struct {
	Value    string `json:"value"`
	Encoding string `json:"encoding,omitzero"`
}

type customSalt struct {
	Value    string `json:"value"`
	Encoding string `json:"encoding,omitzero"`
	Position string `json:"position,omitzero"`
}

type customPassword struct {
	Encoding string `json:"encoding,omitzero"`
}

// ParseCustom checks a custom_password_hash object (compact JSON, keys unique)
// and returns the stored form: the object in one spelling. Errors: *Refused.
func ParseCustom(object []byte) (stored string, err error) {
	c, err := parseCustom(object)
	if err != nil {
		return "", err
	}
	if _, err := c.matcher(); err != nil {
		return "", err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	if len(b) > maxStored {
		return "", refuse("MAX_LENGTH", "", "The hash is longer than %d bytes", maxStored)
	}
	return string(b), nil
}

// reader takes members out of one object and keeps the first thing wrong.
// encoding/json alone would match names whatever their case.
type reader struct {
	members map[string]json.RawMessage
	path    string // of the object, with a dot behind it, or empty
	err     error
}

func newReader(path string, object json.RawMessage) *reader {
	r := &reader{}
	if path != "" {
		r.path = path + "."
	}
	if json.Unmarshal(object, &r.members) != nil || r.members == nil {
		r.err = refuse("INVALID_TYPE", path, "Expected type object but found type %s", typeName(object))
	}
	return r
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) take(name string, required bool) json.RawMessage {
	v, ok := r.members[name]
	delete(r.members, name)
	if !ok && required {
		r.fail(refuse("OBJECT_REQUIRED", strings.TrimSuffix(r.path, "."), "Missing required property: %s", name))
	}
	return v
}

// text takes a string, which has to be one of enum unless enum is empty.
func (r *reader) text(name string, required bool, enum ...string) string {
	v := r.take(name, required)
	if v == nil || r.err != nil {
		return ""
	}
	var s string
	if v[0] != '"' || json.Unmarshal(v, &s) != nil {
		r.fail(refuse("INVALID_TYPE", r.path+name, "Expected type string but found type %s", typeName(v)))
		return ""
	}
	if len(s) > maxHashText {
		r.fail(refuse("MAX_LENGTH", r.path+name, "String is too long (%d chars), maximum %d", len(s), maxHashText))
		return ""
	}
	if len(enum) > 0 && !slices.Contains(enum, s) {
		r.fail(refuse("ENUM_MISMATCH", r.path+name, "No enum match, expected one of: %s", strings.Join(enum, ", ")))
	}
	return s
}

// number takes an integer above zero; 0 when it is absent.
func (r *reader) number(name string) int {
	v := r.take(name, false)
	if v == nil || r.err != nil {
		return 0
	}
	var n int
	if json.Unmarshal(v, &n) != nil || typeName(v) != "number" {
		r.fail(refuse("INVALID_TYPE", r.path+name, "Expected type integer but found type %s", typeName(v)))
		return 0
	}
	if n < 1 {
		r.fail(refuse("MINIMUM", r.path+name, "Value %d is less than minimum 1", n))
		return 0
	}
	return n
}

// done refuses what was not taken.
func (r *reader) done() error {
	if r.err == nil && len(r.members) > 0 {
		extra := make([]string, 0, len(r.members))
		for name := range r.members {
			extra = append(extra, name)
		}
		slices.Sort(extra)
		r.fail(refuse("OBJECT_ADDITIONAL_PROPERTIES", strings.TrimSuffix(r.path, "."), "Additional properties not allowed: %s", strings.Join(extra, ",")))
	}
	return r.err
}

func typeName(v json.RawMessage) string {
	if len(v) == 0 {
		return "undefined"
	}
	switch v[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// parseCustom checks the shape; matcher checks what the members mean.
func parseCustom(object []byte) (*custom, error) {
	if len(object) > maxStored {
		return nil, refuse("MAX_LENGTH", "", "The hash is longer than %d bytes", maxStored)
	}
	r := newReader("", object)
	c := &custom{Algorithm: r.text("algorithm", true, algorithms...)}
	hash := r.take("hash", true)
	salt := r.take("salt", false)
	password := r.take("password", false)
	c.KeyLen = r.number("keylen")
	c.Cost = r.number("cost")
	c.BlockSize = r.number("blockSize")
	c.Parallelization = r.number("parallelization")
	if err := r.done(); err != nil {
		return nil, err
	}

	h := newReader("hash", hash)
	c.Hash.Value = h.text("value", true)
	c.Hash.Encoding = h.text("encoding", false, "base64", "hex", "utf8")
	c.Hash.Digest = h.text("digest", false)
	key := h.take("key", false)
	if err := h.done(); err != nil {
		return nil, err
	}
	if c.Hash.Value == "" {
		return nil, refuse("MIN_LENGTH", "hash.value", "String is too short (0 chars), minimum 1")
	}
	if key != nil {
		k := newReader("hash.key", key)
		c.Hash.Key = &customKey{Value: k.text("value", true), Encoding: k.text("encoding", false, "base64", "hex", "utf8")}
		if err := k.done(); err != nil {
			return nil, err
		}
	}
	if salt != nil {
		s := newReader("salt", salt)
		c.Salt = &customSalt{
			Value:    s.text("value", true),
			Encoding: s.text("encoding", false, "base64", "hex", "utf8"),
			Position: s.text("position", false, "prefix", "suffix"),
		}
		if err := s.done(); err != nil {
			return nil, err
		}
	}
	if password != nil {
		p := newReader("password", password)
		c.Password.Encoding = p.text("encoding", false, passwordEncodings...)
		if err := p.done(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// salted puts the salt before or behind the password.
func (c *custom) salted(salt, password []byte) []byte {
	if c.Salt != nil && c.Salt.Position == "suffix" {
		return slices.Concat(password, salt)
	}
	return slices.Concat(salt, password)
}

// salt is the salt's bytes; none when there is no salt.
func (c *custom) salt() ([]byte, error) {
	if c.Salt == nil {
		return nil, nil
	}
	b, ok := decode(or(c.Salt.Encoding, "utf8"), c.Salt.Value)
	if !ok {
		return nil, refuse("FORMAT", "salt.value", "The salt is not of its encoding")
	}
	return b, nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
