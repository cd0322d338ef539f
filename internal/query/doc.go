// Package query is the search language of GET /users?q= (reference/users.md §5),
// parsed to a small tree.
//
// Owns: the syntax: the tree, the parser, the printer, where a query is wrong.
// Does not own: which fields there are and how each matches (user/searchplan.go),
// how an index answers (store).
// May import: the standard library.
package query
