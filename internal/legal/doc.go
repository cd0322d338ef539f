// Package legal knows electronic identities that brokers offer
// (reference/connections.md §2.22, §4.9): BankID, MitID and their like.
//
// Owns: the table of eIDs with their acr values, claims and national identifiers
// (table.go), how an acr stands in a broker's address (address.go), the level of
// assurance that an answer has, and when it is less than was asked for (assurance.go).
// Does not own: options of connections (connection), protocols (upstream), what a
// login stores (profile).
// May import: nothing of ours.
package legal
