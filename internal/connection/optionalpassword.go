package connection

// PasswordOptional reports whether a user of this database may be created
// without a password (authentication_methods.password.api_behavior, reference/connections.md §2.1).
func (c *Connection) PasswordOptional() bool {
	methods := parseDocument(c.Options).object("authentication_methods")
	return methods.object("password").text("api_behavior") == "optional"
}
