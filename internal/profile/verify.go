package profile

// Verify marks an address (Email or PhoneNumber) as proved by its owner, who
// followed a link or typed a code that was sent to it. sent is the address as it
// was when the message went out: a proof of another address than the present
// one proves nothing. It reports whether the profile changed.
func Verify(p Profile, address, sent string, src Source) (Profile, bool) {
	for _, pair := range proofs {
		if pair.address == address && sent != "" && p.Text(address) == sent && !p.True(pair.proof) {
			next := draft{Profile: p}
			next.set(pair.proof, Bool(true), src)
			return next.Profile, true
		}
	}
	return p, false
}
