// Package sms sends text messages (reference/connections.md §2.3, §6.4).
//
// Owns: the ways to send one (twilio.go, gateway.go, directory.go), which of them
// a connection means (post.go), the words of a message (body.go), how failures
// are told.
// Does not own: what is sent, to whom and how often (passwordless), the guarded
// client that reaches the outside (outbound), the template language (liquid).
// May import: errs, liquid, connection, passwordless.
package sms
