// Package seal encrypts what must not be readable in a stolen copy of the
// database: client secrets, connection options, upstream tokens, signing keys.
//
// Owns: the sealed form (key id, nonce, ciphertext; AES-256-GCM) and the key ring.
// Does not own: where the key comes from (config), what is sealed (store).
// May import: the standard library.
package seal
