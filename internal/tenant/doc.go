// Package tenant is the settings of the whole installation, as the Management
// API edits them: tenant settings, branding, prompts and their texts, attack
// protection, second factors (reference/authentication.md §5.4, §7.4, §7.6).
//
// Owns: the documents (document.go), their defaults and what is refused
// (kinds.go), the bodies (settingsbody.go, brandingbody.go, attackbody.go), the use
// cases (service.go), the typed view that other packages read (settings.go, view.go).
// Does not own: SQL (store), routes and wire form (mgmt), what a setting does
// (op, login, guard, factor, page).
// May import: errs, schema, strictjson, audit, client.
package tenant
