package mgmt

import "mangrove/internal/tenant"

// attackProtectionRoutes are the settings of attack protection
// (reference/authentication.md §5.4), and of the risk assessments that do not exist here (§7.9.1).
func (a *api) attackProtectionRoutes() []route {
	read, update := oneOf("read:attack_protection"), oneOf("update:attack_protection")
	var list []route
	for _, r := range []struct {
		path string
		name tenant.Name
	}{
		{"brute-force-protection", tenant.Brute},
		{"suspicious-ip-throttling", tenant.Suspicious},
		{"breached-password-detection", tenant.Breached},
		{"bot-detection", tenant.Bots},
		{"captcha", tenant.Captcha},
		{"phone-provider-protection", tenant.Phones},
	} {
		path := "/attack-protection/" + r.path
		list = append(list, route{"GET", path, read, a.showDocument(r.name)}, route{"PATCH", path, update, a.patchDocument(r.name)})
	}
	return append(list,
		route{"GET", "/risk-assessments/settings", read, constant(`{"enabled":false}`)},
		route{"GET", "/risk-assessments/settings/new-device", read, constant(`{"remember_for":30}`)},
	)
}
