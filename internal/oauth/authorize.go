package oauth

// AuthorizeRequest is a validated authorization request
// (reference/authentication.md §2.1). It travels from op to login and back.
type AuthorizeRequest struct {
	ClientID     string `json:"client_id"`
	ResponseType string `json:"response_type"` // canonical: code, token, id_token, "code id_token", …
	ResponseMode string `json:"response_mode"` // query, fragment, form_post, web_message
	RedirectURI  string `json:"redirect_uri"`  // where the answer goes; matched
	// RedirectSent: the request named it; the token request then has to repeat it.
	RedirectSent bool     `json:"redirect_sent,omitzero"`
	Scope        []string `json:"scope,omitzero"` // requested, in order, without doubles
	State        string   `json:"state,omitzero"`
	Nonce        string   `json:"nonce,omitzero"`
	Audience     string   `json:"audience,omitzero"`
	Challenge    string   `json:"code_challenge,omitzero"`
	Method       string   `json:"code_challenge_method,omitzero"` // S256 or plain
	Prompt       string   `json:"prompt,omitzero"`                // none, login, consent, select_account
	MaxAge       *int64   `json:"max_age,omitzero"`               // seconds
	LoginHint    string   `json:"login_hint,omitzero"`
	ScreenHint   string   `json:"screen_hint,omitzero"` // signup, or empty
	Connection   string   `json:"connection,omitzero"`  // name
	UILocales    string   `json:"ui_locales,omitzero"`
	// ConnectionScope are scopes for the provider beside the connection's own, as sent.
	ConnectionScope string `json:"connection_scope,omitzero"`
	ACRValues       string `json:"acr_values,omitzero"`
	// Passed are parameters that mean nothing here and that a connection may pass on
	// to its provider (Passable). An id_token_hint is personal: they are not part of
	// the stored form.
	Passed map[string]string `json:"-"`
	// LoginTicket is the one-time ticket of /co/authenticate.
	LoginTicket string `json:"login_ticket,omitzero"`
	// DeviceCode is the hash of the device code that this login answers; empty for
	// a request of a browser. The answer then goes to a page of ours.
	DeviceCode string `json:"device_code,omitzero"`
	// Approval is the hash of the request for approval (package approval) that this
	// login answers; empty otherwise. The answer then goes to a page of ours.
	Approval string `json:"approval,omitzero"`
}

// Passable are the parameters of AuthorizeRequest.Passed (reference/connections.md §3.9).
var Passable = []string{"display", "id_token_hint", "resource"}

// AuthorizeError is an error that goes to the redirect URI (RFC 6749 §4.1.2.1).
type AuthorizeError struct{ Code, Description string }

func (e *AuthorizeError) Error() string { return e.Code + ": " + e.Description }
