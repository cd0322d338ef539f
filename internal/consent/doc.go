// Package consent is what a person allowed an application: the grants of
// GET /api/v2/grants (reference/authentication.md §2.2).
//
// Owns: the noun, when a person is asked (needed.go), the list of what is asked
// for (question.go).
// Does not own: the page (login, page), what may be granted at all (op), routes
// and wire form (mgmt), SQL (store).
// May import: errs, audit.
package consent
