// Package mailtest is a real mail server for tests: maildev, a process of its own,
// which keeps what it gets (test/mail).
//
// Owns: starting it, waiting for a mail, reading it.
// Does not own: what is in a mail (mail).
// May import: parttest.
package mailtest
