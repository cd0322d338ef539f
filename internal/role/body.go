package role

import (
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/opt"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// The contract bounds neither; these are far above any name in use, and a name
// of any script still fits a key of an index.
const (
	maxName        = 255
	maxDescription = 1000
)

// Bounds of what a permission names, as resourceserver has them.
const (
	maxIdentifier = 600
	maxScope      = 280
)

var members = []schema.Property{
	{Name: "name", Types: schema.String, Min: 1, Max: maxName, NoControls: true, Description: "Name of the role."},
	{Name: "description", Types: schema.String, Max: maxDescription, Description: "Description of the role."},
}

var (
	createBody = schema.Property{Types: schema.Object, Closed: true, Required: []string{"name"}, Members: members}
	patchBody  = schema.Property{Types: schema.Object, Closed: true, Members: members}

	rolePermissionsBody   = permissionsBody("array of resource_server_identifier, permission_name pairs.")
	addPermissionsBody    = permissionsBody("List of permissions to add to this user.")
	removePermissionsBody = permissionsBody("List of permissions to remove from this user.")

	addRolesBody    = listBody("roles", 1, "List of roles IDs to associated with the user.", roleItem)
	removeRolesBody = listBody("roles", 1, "List of roles IDs to remove from the user.", roleItem)
	addUsersBody    = listBody("users", 0, "user_id's of the users to assign the role to.", userItem)
)

var (
	roleItem = schema.Property{Types: schema.String, Min: 1, Max: maxName}
	userItem = schema.Property{Types: schema.String, Format: schema.FormatUserIDMaxLength}
)

// listBody is a body of one array.
func listBody(name string, least int, description string, item schema.Property) schema.Property {
	return schema.Property{
		Types: schema.Object, Closed: true, Required: []string{name},
		Members: []schema.Property{{
			Name: name, Types: schema.Array, Min: least, Max: maxAssignmentsCall, Description: description, Items: &item,
		}},
	}
}

// permissionsBody is PermissionRequestPayload in an array.
func permissionsBody(description string) schema.Property {
	return listBody("permissions", 1, description, schema.Property{
		Types: schema.Object, Closed: true, Required: []string{"resource_server_identifier", "permission_name"},
		Members: []schema.Property{
			{
				Name: "resource_server_identifier", Types: schema.String, Max: maxIdentifier,
				Description: "Resource server (API) identifier that this permission is for.",
			},
			{Name: "permission_name", Types: schema.String, Max: maxScope, Description: "Name of this permission."},
		},
	})
}

// body is every body of this noun.
type body struct {
	Name        opt.Value[string] `json:"name"`
	Description opt.Value[string] `json:"description"`
	Permissions []Permission      `json:"permissions"`
	Roles       []string          `json:"roles"`
	Users       []string          `json:"users"`
}

// read checks the members of a body and gives them their types; schema.Error.
func read(p *schema.Property, list []strictjson.Member) (body, error) {
	raw := strictjson.Join(list)
	if bad := p.Check("", raw); len(bad) > 0 {
		return body{}, schema.Error(bad)
	}
	var b body
	if err := jsonv2.Unmarshal(raw, &b); err != nil {
		return body{}, fmt.Errorf("a body that fits its schema: %w", err)
	}
	return b, nil
}
