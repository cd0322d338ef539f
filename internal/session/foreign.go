package session

// Foreign is the session at an identity provider that a session of ours came
// from: what ending both together needs. The zero value: there is none to end.
type Foreign struct {
	// Name is how the provider calls the person there: the NameID of SAML with its
	// qualifiers as canonical XML, or the subject.
	Name string `json:"name,omitzero"`
	// Index is the SessionIndex of SAML, or sid.
	Index string `json:"index,omitzero"`
	// IDToken is the hint of RP-initiated logout.
	IDToken string `json:"id_token,omitzero"`
	// Until is when the session there ends (microseconds), and ours with it; zero: not told.
	Until int64 `json:"until,omitzero"`
}

// Whose says which sessions of a connection its provider ends.
type Whose struct {
	ConnectionID string
	// Hash, when not empty, is the one session, if it came from the connection.
	Hash string
	// Name is as Foreign.Name; never empty without a Hash.
	Name string
	// Indexes are as Foreign.Index; none: all sessions of Name.
	Indexes []string
}
