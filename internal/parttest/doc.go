// Package parttest finds the real parts that tests need: servers, packages and
// programs that scripts/test installs and names in the environment.
//
// Owns: what becomes of a test whose part is missing.
// Does not own: how a part is started (store/storetest, mail/mailtest, browsertest,
// upstream/idptest, upstream/ldaptest).
// May import: the standard library.
package parttest
