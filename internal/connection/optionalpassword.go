package connection

import "mangrove/internal/strictjson"

// PasswordOptional reports whether a user of this database may be created
// without a password (authentication_methods.password.api_behavior, reference/connections.md §2.1).
func (c *Connection) PasswordOptional() bool {
	methods := strictjson.ParseDocument(c.Options).Object("authentication_methods")
	return methods.Object("password").Text("api_behavior") == "optional"
}
