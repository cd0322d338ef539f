package socialtest

// TemporarySecrets are those of the temporary credentials of OAuth 1 that nobody has
// redeemed yet.
func (d *Double) TemporarySecrets() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []string
	for _, t := range d.temporaries {
		list = append(list, t.secret)
	}
	return list
}
