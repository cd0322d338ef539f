package oauth

import "strings"

// SelfRegisteredPrefix begins the ids of clients that registered themselves
// (reference/authentication.md §0.3). No other client's id begins so: those of
// others have no underscore.
const SelfRegisteredPrefix = "tpc_"

// SelfRegistered reports an id of a client that registered itself, and hence is a
// third party.
func SelfRegistered(clientID string) bool { return strings.HasPrefix(clientID, SelfRegisteredPrefix) }
