package user

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// The stored form of a user is made of pieces that a read can copy to the wire
// as they are: attributes and identities are wire JSON, and what the wire does
// not show (sources, connection ids, subjects) stands beside them.

// EncodeAttributes writes the profile as a compact JSON object, names sorted.
func EncodeAttributes(p profile.Profile) []byte {
	all := p.All()
	n := 2
	for _, a := range all {
		n += len(a.Name) + len(a.Value) + 4
	}
	b := make([]byte, 0, n)
	b = append(b, '{')
	for i, a := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, a.Name)
		b = append(b, ':')
		b = append(b, a.Value...)
	}
	return append(b, '}')
}

// storedSources lists each different source once; Of has, for each attribute in
// the order of the names, the index of its source. Most users have one or two.
type storedSources struct {
	Sources []storedSource `json:"s"`
	Of      []int          `json:"of"`
}

type storedSource struct {
	Origin     profile.Origin `json:"o"`
	Connection string         `json:"c,omitzero"`
	Actor      string         `json:"a,omitzero"`
	At         int64          `json:"t"`
}

// EncodeSources writes the sources of the attributes, compactly.
func EncodeSources(p profile.Profile) []byte {
	var s storedSources
	index := make(map[profile.Source]int, 2)
	s.Of = make([]int, 0, len(p.All()))
	for _, a := range p.All() {
		i, ok := index[a.Source]
		if !ok {
			i = len(s.Sources)
			index[a.Source] = i
			s.Sources = append(s.Sources, storedSource(a.Source))
		}
		s.Of = append(s.Of, i)
	}
	b, err := json.Marshal(&s)
	if err != nil {
		panic(err) // strings and integers always encode
	}
	return b
}

// DecodeProfile is the reverse of the two.
func DecodeProfile(attributes, sources []byte) (profile.Profile, error) {
	members, err := strictjson.Object(attributes)
	if err != nil {
		return profile.Profile{}, fmt.Errorf("stored attributes: %w", err)
	}
	var s storedSources
	if err := json.Unmarshal(sources, &s); err != nil {
		return profile.Profile{}, fmt.Errorf("stored sources: %w", err)
	}
	if len(s.Of) != len(members) {
		return profile.Profile{}, fmt.Errorf("stored sources: %d for %d attributes", len(s.Of), len(members))
	}
	attrs := make([]profile.Attribute, len(members))
	for i, m := range members {
		if s.Of[i] < 0 || s.Of[i] >= len(s.Sources) {
			return profile.Profile{}, fmt.Errorf("stored sources: index %d of %d", s.Of[i], len(s.Sources))
		}
		attrs[i] = profile.Attribute{Name: m.Name, Value: m.Value, Source: profile.Source(s.Sources[s.Of[i]])}
	}
	return profile.FromSorted(attrs), nil
}

// EncodeIdentities writes the wire form of identities, without tokens
// (reference/users.md §1.5 and §3.7 for the order of members).
func EncodeIdentities(ids []Identity) []byte {
	b := make([]byte, 0, 160*len(ids))
	b = append(b, '[')
	for i := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendIdentity(b, &ids[i], nil)
	}
	return append(b, ']')
}

// AppendIdentity writes one identity; tokens is nil, or a JSON object whose
// members are shown with it.
func AppendIdentity(b []byte, id *Identity, tokens profile.Value) []byte {
	b = append(b, '{')
	if len(id.ProfileData.All()) > 0 {
		b = append(b, `"profileData":`...)
		b = append(b, EncodeAttributes(id.ProfileData)...)
		b = append(b, ',')
	}
	b = append(b, `"connection":`...)
	b = appendText(b, id.Connection)
	b = append(b, `,"user_id":`...)
	b = appendIdentityUserID(b, id)
	b = append(b, `,"provider":`...)
	b = appendText(b, id.Provider)
	b = append(b, `,"isSocial":`...)
	b = append(b, profile.Bool(id.IsSocial)...)
	if len(tokens) > 2 {
		b = append(b, ',')
		b = append(b, tokens[1:len(tokens)-1]...)
	}
	return append(b, '}')
}

// appendIdentityUserID writes a number where the provider has numbers and clients
// know them as such, everything else as text. What a double cannot hold stays text.
func appendIdentityUserID(b []byte, id *Identity) []byte {
	if s, _ := connection.StrategyOf(id.Provider); s.NumericIDs {
		if n, err := strconv.ParseInt(id.UserID, 10, 54); err == nil && n >= 0 && strconv.FormatInt(n, 10) == id.UserID {
			return append(b, id.UserID...)
		}
	}
	return appendText(b, id.UserID)
}

// identityUserID is the reverse.
func identityUserID(v jsontext.Value) string {
	if len(v) > 0 && v[0] == '"' {
		return profile.TextOf(profile.Value(v))
	}
	return string(v)
}

// identityKey is what the wire form of an identity does not show.
type identityKey struct {
	ConnectionID string         `json:"c"`
	Subject      string         `json:"s"`
	Sources      jsontext.Value `json:"p,omitzero"` // of the profileData
	Password     storedPassword `json:"w,omitzero"`
	External     bool           `json:"x,omitzero"`
	Kept         bool           `json:"k,omitzero"`
}

// storedPassword is the password of a secondary identity.
type storedPassword struct {
	Hash     string `json:"h,omitzero"`
	SetAt    int64  `json:"t,omitzero"`
	Imported bool   `json:"i,omitzero"`
}

// EncodeIdentityKeys writes what the wire form does not show (connection id,
// subject, sources of profileData, password), in the same order.
func EncodeIdentityKeys(ids []Identity) []byte {
	keys := make([]identityKey, len(ids))
	for i, id := range ids {
		keys[i] = identityKey{ConnectionID: id.ConnectionID, Subject: id.Subject, Password: storedPassword(id.Password), External: id.External, Kept: id.Kept}
		if len(id.ProfileData.All()) > 0 {
			keys[i].Sources = EncodeSources(id.ProfileData)
		}
	}
	b, err := json.Marshal(keys)
	if err != nil {
		panic(err) // strings always encode
	}
	return b
}

// wireIdentity is the wire form that EncodeIdentities writes.
type wireIdentity struct {
	ProfileData jsontext.Value `json:"profileData,omitzero"`
	Connection  string         `json:"connection"`
	UserID      jsontext.Value `json:"user_id"`
	Provider    string         `json:"provider"`
	IsSocial    bool           `json:"isSocial"`
}

// DecodeIdentities is the reverse of the two. Claims and Tokens are nil.
func DecodeIdentities(identities, keys []byte) ([]Identity, error) {
	var wire []wireIdentity
	if err := json.Unmarshal(identities, &wire); err != nil {
		return nil, fmt.Errorf("stored identities: %w", err)
	}
	var ks []identityKey
	if err := json.Unmarshal(keys, &ks); err != nil {
		return nil, fmt.Errorf("stored identity keys: %w", err)
	}
	if len(ks) != len(wire) || len(wire) == 0 {
		return nil, fmt.Errorf("stored identities: %d with %d keys", len(wire), len(ks))
	}
	ids := make([]Identity, len(wire))
	for i, w := range wire {
		ids[i] = Identity{
			Provider: w.Provider, Connection: w.Connection, UserID: identityUserID(w.UserID), IsSocial: w.IsSocial,
			ConnectionID: ks[i].ConnectionID, Subject: ks[i].Subject, Password: Password(ks[i].Password), External: ks[i].External, Kept: ks[i].Kept,
		}
		if w.ProfileData == nil {
			continue
		}
		p, err := DecodeProfile(w.ProfileData, ks[i].Sources)
		if err != nil {
			return nil, fmt.Errorf("stored profileData: %w", err)
		}
		ids[i].ProfileData = p
	}
	return ids, nil
}

// decode reads the profile, without sources, and the identities, without what
// their wire form does not show: enough to judge an edit before it is queued.
func (v View) decode() (profile.Profile, []Identity, error) {
	p, err := valuesOf(v.Attributes)
	if err != nil {
		return profile.Profile{}, nil, err
	}
	var wire []wireIdentity
	if err := json.Unmarshal(v.Identities, &wire); err != nil || len(wire) == 0 {
		return profile.Profile{}, nil, fmt.Errorf("stored identities of %d bytes: %w", len(v.Identities), err)
	}
	ids := make([]Identity, len(wire))
	for i, w := range wire {
		ids[i] = Identity{Provider: w.Provider, Connection: w.Connection, UserID: identityUserID(w.UserID), IsSocial: w.IsSocial}
		if w.ProfileData == nil {
			continue
		}
		if ids[i].ProfileData, err = valuesOf(w.ProfileData); err != nil {
			return profile.Profile{}, nil, err
		}
	}
	return p, ids, nil
}

// valuesOf reads stored attributes without their sources.
func valuesOf(attributes []byte) (profile.Profile, error) {
	members, err := strictjson.Object(attributes)
	if err != nil {
		return profile.Profile{}, fmt.Errorf("stored attributes: %w", err)
	}
	attrs := make([]profile.Attribute, len(members))
	for i, m := range members {
		attrs[i] = profile.Attribute{Name: m.Name, Value: m.Value}
	}
	return profile.FromSorted(attrs), nil
}

// ViewOf is what a read of u would give.
func ViewOf(u *User) View {
	return View{
		ID:                u.ID,
		Version:           u.Version,
		Attributes:        EncodeAttributes(u.Profile),
		Identities:        EncodeIdentities(u.Identities),
		LastPasswordReset: u.Password.SetAt,
		CreatedAt:         u.CreatedAt,
		UpdatedAt:         u.UpdatedAt,
		Logins:            u.Logins,
	}
}

// appendText writes a JSON string. Text that is not UTF-8 was refused at every
// door; should some get here all the same, it comes out with replacement
// characters and the document stays valid.
func appendText(b []byte, s string) []byte {
	out, _ := jsontext.AppendQuote(b, s)
	return out
}
