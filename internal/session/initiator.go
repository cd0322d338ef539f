package session

// Why a session ended, in the words of a client's backchannel_logout_initiators
// (reference/authentication.md §4.5).
const (
	RPLogout        = "rp-logout"
	IdPLogout       = "idp-logout"
	Revoked         = "session-revoked"
	PasswordChanged = "password-changed"
	AccountDeleted  = "account-deleted"
	Deactivated     = "account-deactivated"
)
