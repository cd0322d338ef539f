package passwd

import "encoding/json"

// Export is the reverse of ParseBcrypt and ParseCustom: the member of an import
// row (reference/users.md §6.2), and its value, that become this stored form
// again. Both are empty when nothing is stored.
func Export(stored string) (member string, value json.RawMessage) {
	switch {
	case stored == "":
		return "", nil
	case stored[0] == '{':
		return "custom_password_hash", json.RawMessage(stored)
	}
	quoted, err := json.Marshal(stored)
	if err != nil {
		panic(err) // a string always encodes
	}
	return "password_hash", quoted
}
