package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/guard"
	"mangrove/internal/schema"
	"mangrove/internal/web"
)

// blocking reads the parameter of the lists of blocks.
func (q *query) blocking() bool {
	return q.flag("consider_brute_force_enablement",
		"If true and Brute Force Protection is disabled, will return an empty list.", false)
}

// maxIdentifier is the longest name that anybody can have.
const maxIdentifier = 1000

func (q *query) identifier() string {
	return q.required(schema.Property{Name: "identifier", Description: "Should be any of a username, phone number, or email.", Min: 1, Max: maxIdentifier})
}

// userBlock is UserBlockIdentifier of the contract: without an address where
// failures count whatever the address.
type userBlock struct {
	Identifier string `json:"identifier"`
	IP         string `json:"ip,omitzero"`
	Connection string `json:"connection,omitzero"`
}

func writeBlocks(w http.ResponseWriter, list []guard.Listed) error {
	body := struct {
		BlockedFor []userBlock `json:"blocked_for"`
	}{make([]userBlock, len(list))}
	for i, b := range list {
		body.BlockedFor[i] = userBlock{b.Identifier, b.Address, b.Connection}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, text)
	return nil
}

// blocksByIdentifier is GET /user-blocks.
func (a *api) blocksByIdentifier(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	identifier, enabled := q.identifier(), q.blocking()
	if err := q.err(); err != nil {
		return err
	}
	list, err := a.Guard.IdentifierBlocks(r.Context(), identifier, enabled)
	if err != nil {
		return err
	}
	return writeBlocks(w, list)
}

// unblockIdentifier is DELETE /user-blocks.
func (a *api) unblockIdentifier(w http.ResponseWriter, r *http.Request, by *caller) error {
	q := queryOf(r)
	identifier := q.identifier()
	if err := q.err(); err != nil {
		return err
	}
	if err := a.Guard.ReleaseIdentifier(r.Context(), identifier, by.event(r)); err != nil {
		return err
	}
	return none(w)
}

// userBlocks is GET /user-blocks/{id}.
func (a *api) userBlocks(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	enabled := q.blocking()
	if err := q.err(); err != nil {
		return err
	}
	id, err := userID(r)
	if err != nil {
		return err
	}
	list, err := a.Guard.UserBlocks(r.Context(), id, enabled)
	if err != nil {
		return err
	}
	return writeBlocks(w, list)
}

// unblockUser is DELETE /user-blocks/{id}.
func (a *api) unblockUser(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := a.Guard.ReleaseUser(r.Context(), id, by.event(r)); err != nil {
		return err
	}
	return none(w)
}
