// Package ticket is the links by which the owner of an e-mail address proves to
// be that: to verify the address, to set a new password, to release an account
// that guesses have blocked.
//
// Owns: the Ticket noun and its secret (ticket.go), what a body that asks for one
// must look like (body.go), for whom one is made (target.go), the use cases
// (service.go), which links are mailed by themselves (reset.go), what the application is told afterwards (result.go).
// Does not own: what a redeemed ticket changes (user/verifyemail.go,
// user/resetpassword.go), SQL (store), HTTP (mgmt, login), mails (mail, job).
// May import: errs, schema, strictjson, profile, audit, letter, user, connection, customdb, client.
package ticket
