package resourceserver

import "strings"

// managementResources are the things that the Management API is about, with the
// verbs that exist for each (reference/authentication.md §6.2). Many have no
// endpoint here; their scopes exist all the same, so that the grants of other
// installations can be brought over.
var managementResources = []struct{ name, verbs string }{
	{"actions", "create read update delete"},
	{"anomaly_blocks", "read delete"},
	{"attack_protection", "read update"},
	{"authentication_methods", "create read update delete"},
	{"branding", "read update delete"},
	{"client_credentials", "create read update delete"},
	{"client_grants", "create read update delete"},
	{"client_keys", "read update"},
	{"client_summary", "read"},
	{"client_token_vault_privileged_access", "update"},
	{"clients", "create read update delete"},
	{"connection_profiles", "create read update delete"},
	{"connections", "create read update delete"},
	{"connections_keys", "create read update"},
	{"connections_options", "read update"},
	{"current_user", "read delete"},
	{"current_user_device_credentials", "create delete"},
	{"current_user_identities", "update"},
	{"current_user_metadata", "create update delete"},
	{"custom_domains", "create read update delete"},
	{"custom_signing_keys", "create read update delete"},
	{"device_credentials", "read delete"},
	{"directory_provisionings", "create read update delete"},
	{"email_provider", "create read update delete"},
	{"email_templates", "create read update"},
	{"encryption_keys", "create read update delete"},
	{"event_deliveries", "read update"},
	{"event_streams", "create read update delete"},
	{"events", "read"},
	{"experimentation", "create read update delete"},
	{"federated_connections_tokens", "read delete"},
	{"flows", "create read update delete"},
	{"flows_executions", "read delete"},
	{"flows_vault_connections", "create read update delete"},
	{"forms", "create read update delete"},
	{"grants", "read delete"},
	{"group_members", "read"},
	{"group_roles", "create read delete"},
	{"groups", "read delete"},
	{"guardian_enrollment_tickets", "create"},
	{"guardian_enrollments", "read delete"},
	{"guardian_factors", "read update"},
	{"hooks", "create read update delete"},
	{"insights", "read"},
	{"log_streams", "create read update delete"},
	{"logs", "read"},
	{"logs_users", "read"},
	{"mfa_policies", "read update"},
	{"network_acls", "create read update delete"},
	{"organization_client_grants", "create read delete"},
	{"organization_connections", "create read update delete"},
	{"organization_discovery_domains", "create read update delete"},
	{"organization_group_roles", "create read delete"},
	{"organization_groups", "read"},
	{"organization_invitations", "create read delete"},
	{"organization_member_effective_roles", "read"},
	{"organization_member_role_source_groups", "read"},
	{"organization_member_roles", "create read delete"},
	{"organization_members", "create read delete"},
	{"organizations", "create read update delete"},
	{"organizations_summary", "read"},
	{"phone_provider", "create read update delete"},
	{"phone_providers", "create read update delete"},
	{"phone_templates", "create read update delete"},
	{"prompts", "read update"},
	{"rate_limit_policies", "create read update delete"},
	{"refresh_tokens", "read update delete"},
	{"resource_servers", "create read update delete"},
	{"role_members", "create read delete"},
	{"roles", "create read update delete"},
	{"rules", "create read update delete"},
	{"rules_configs", "read update delete"},
	{"scim_config", "create read update delete"},
	{"scim_token", "create read delete"},
	{"self_service_profile_custom_texts", "read update"},
	{"self_service_profiles", "create read update delete"},
	{"sessions", "read update delete"},
	{"shields", "create read update delete"},
	{"signing_keys", "create read update"},
	{"sso_access_tickets", "create delete"},
	{"stats", "read"},
	{"tenant_settings", "read update"},
	{"token_exchange_profiles", "create read update delete"},
	{"tokens", "blacklist"},
	{"triggers", "read update"},
	{"user_attribute_profiles", "create read update delete"},
	{"user_custom_blocks", "read"},
	{"user_effective_permissions", "read"},
	{"user_effective_roles", "read"},
	{"user_idp_tokens", "read"},
	{"user_permission_source_roles", "read"},
	{"user_role_source_groups", "read"},
	{"user_tickets", "create"},
	{"users", "create read update delete"},
	{"users_app_metadata", "create read update delete"},
	{"vdcs_templates", "create read update delete"},
}

// ManagementScopes are all scopes of the Management API with their
// descriptions, by resource. The list is the caller's.
func ManagementScopes() []Scope {
	var list []Scope
	for _, r := range managementResources {
		for verb := range strings.FieldsSeq(r.verbs) {
			list = append(list, Scope{Value: verb + ":" + r.name, Description: titled(verb + " " + strings.ReplaceAll(r.name, "_", " "))})
		}
	}
	return list
}

// ManagementScopeValues are the names of ManagementScopes.
func ManagementScopeValues() []string {
	var list []string
	for _, s := range ManagementScopes() {
		list = append(list, s.Value)
	}
	return list
}

// titled writes each word with a capital, as the wire's descriptions are.
func titled(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}
