package user

import "mangrove/internal/profile"

// AppendProvenance writes, for each attribute, where its value came from: an
// object by attribute name of {"origin", "connection", "actor", "at"}, where
// connection is a connection id and actor the client, job or user that did it;
// both are left out when there was none. at is ISO 8601. Ours.
func AppendProvenance(b []byte, p profile.Profile) []byte {
	b = append(b, '{')
	for i, a := range p.All() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, a.Name)
		b = append(b, `:{"origin":`...)
		b = appendText(b, string(a.Source.Origin))
		if a.Source.Connection != "" {
			b = appendText(append(b, `,"connection":`...), a.Source.Connection)
		}
		if a.Source.Actor != "" {
			b = appendText(append(b, `,"actor":`...), a.Source.Actor)
		}
		b = append(AppendISO(append(b, `,"at":"`...), a.Source.At), `"}`...)
	}
	return append(b, '}')
}
