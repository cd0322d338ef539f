// Package mgmt is the Management API: /api/v2 (reference/users.md §3,
// connections.md §1, authentication.md §6–7).
//
// Owns: the route table with its scopes (routes.go), who the caller is and what
// it may do (auth.go), the error family (errors.go), query parameters
// (query.go), paging (paging.go), projection (fields.go), the wire form of
// users (userjson.go) and of jobs (jobs.go, exportjson.go), the reading of
// uploads (importupload.go), the signed locations of exports (exports.go),
// the wire forms of connections, clients, grants and resource servers, of log
// records (logs.go), sessions (usersessions.go), refresh tokens (refreshtokens.go) and second factors (authmethods.go).
// Does not own: what a change means (user, connection, client, grant,
// resourceserver), tokens (token), SQL (store), what an import row means (user).
// May import: errs, opt, schema, strictjson, profile, passwd, audit, user,
// connection, client, grant, resourceserver, role, tenant, token, refresh, key, session, job, web, chi, jsontext.
package mgmt
