package social

import (
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Microsoft accounts by Graph (strategy_version 2), or by Live Connect, which its
// provider has closed (1). options.tenant (ours) is common, consumers, organizations
// or the id of a tenant.
//
// Only the address of a personal account is proven: what an organization enters as
// mail is its own affair, and userPrincipalName is a name for signing in that
// looks like an address.
var _ = register(&Provider{
	Strategy: "windowslive",
	Variant: func(o strictjson.Document) *Provider {
		if v, ok := o.Number("strategy_version"); ok && v == 1 {
			return liveConnect
		}
		return nil
	},
	Authorize:    "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
	Token:        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
	Placeholders: map[string]string{"tenant": "common"},
	PKCE:         true,
	Scope:        Scope{Default: []string{graph + "User.Read"}, Flags: graphFlags, Filled: []string{"signin"}, Stored: Array},
	Requests:     []Request{{Name: "profile", URL: graph + "v1.0/me"}},
	Fix: func(a *Answers) error {
		delete(a.Profile, "email")
		delete(a.Profile, "email_verified")
		delete(a.Profile, "picture")
		personal := isPersonal(a.Profile.Text("id"))
		if personal {
			a.Profile["picture"] = livePicture(a.Profile.Text("id"))
		}
		if mail := a.Profile.Text("mail"); mail != "" {
			a.Profile["email"] = profile.Text(mail)
			if personal {
				a.Profile["email_verified"] = profile.Bool(true)
			}
		} else if name := a.Profile.Text("userPrincipalName"); strings.Contains(name, "@") && !strings.Contains(name, "#EXT#") {
			a.Profile["email"] = profile.Text(name)
		}
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "displayName"},
			{profile.GivenName, "givenName"},
			{profile.FamilyName, "surname"},
			{profile.Nickname, "displayName"},
			{profile.Picture, "picture"},
			{"locale", "preferredLanguage"},
			{profile.Email, "email"},
		},
		Verified: "email_verified",
		Drop:     []string{"mail", "userPrincipalName", "@odata.context"},
	},
})

var liveConnect = (&Provider{
	Strategy:  "windowslive",
	Authorize: "https://login.live.com/oauth20_authorize.srf",
	Token:     "https://login.live.com/oauth20_token.srf",
	Scope:     Scope{Default: []string{"wl.signin", "wl.basic", "wl.emails"}, Flags: liveFlags(), Stored: Array},
	Requests:  []Request{{Name: "profile", URL: "https://apis.live.net/v5.0/me"}},
	Fix: func(a *Answers) error {
		delete(a.Profile, "picture")
		if id := a.Profile.Text("id"); isPersonal(id) {
			a.Profile["picture"] = livePicture(id)
		}
		emails := a.Profile.Object("emails")
		delete(a.Profile, "emails")
		a.Profile["email"] = emails["account"]
		var all []string
		for _, kind := range []string{"account", "preferred", "personal", "business", "other"} {
			all = append(all, emails.Text(kind))
		}
		if all = distinct(all); all != nil {
			a.Profile["emails"] = profile.Texts(all)
		}
		return nil
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.GivenName, "first_name"},
			{profile.FamilyName, "last_name"},
			{profile.Nickname, "name"},
			{profile.Picture, "picture"},
			{"locale", "locale"},
			{profile.Email, "email"},
		},
		Proven: true, // the address that the account was opened with
	},
}).ready()

// isPersonal reports the id of a Microsoft account: 16 hexadecimal digits. Accounts of
// organizations have a GUID.
func isPersonal(id string) bool {
	return len(id) == 16 && strings.Trim(strings.ToLower(id), "0123456789abcdef") == ""
}

func livePicture(id string) profile.Value {
	return profile.Text("https://apis.live.net/v5.0/" + id + "/picture")
}

const graph = "https://graph.microsoft.com/"

var graphFlags = []Flag{
	{"signin", ""},
	{"graph_user", graph + "User.Read"}, {"graph_user_update", graph + "User.ReadWrite"},
	{"graph_user_activity", graph + "UserActivity.ReadWrite.CreatedByApp"},
	{"graph_device", graph + "Device.Read"}, {"graph_device_command", graph + "Device.Command"},
	{"graph_emails", graph + "Mail.Read"}, {"graph_emails_update", graph + "Mail.ReadWrite"},
	{"graph_notes", graph + "Notes.Read"}, {"graph_notes_create", graph + "Notes.Create"}, {"graph_notes_update", graph + "Notes.ReadWrite"},
	{"graph_calendars", graph + "Calendars.Read"}, {"graph_calendars_update", graph + "Calendars.ReadWrite"},
	{"graph_contacts", graph + "Contacts.Read"}, {"graph_contacts_update", graph + "Contacts.ReadWrite"},
	{"graph_files", graph + "Files.Read"}, {"graph_files_all", graph + "Files.Read.All"},
	{"graph_files_update", graph + "Files.ReadWrite"}, {"graph_files_all_update", graph + "Files.ReadWrite.All"},
	{"graph_tasks", graph + "Tasks.Read"}, {"graph_tasks_update", graph + "Tasks.ReadWrite"},
	{"directory_accessasuser_all", graph + "Directory.AccessAsUser.All"},
	{"directory_read_all", graph + "Directory.Read.All"}, {"directory_readwrite_all", graph + "Directory.ReadWrite.All"},
	{"group_read_all", graph + "Group.Read.All"}, {"group_readwrite_all", graph + "Group.ReadWrite.All"},
	{"mail_readwrite_all", graph + "Mail.ReadWrite.All"}, {"mail_send", graph + "Mail.Send"},
	{"rolemanagement_read_all", graph + "RoleManagement.Read.All"},
	{"rolemanagement_readwrite_directory", graph + "RoleManagement.ReadWrite.Directory"},
	{"sites_read_all", graph + "Sites.Read.All"}, {"sites_readwrite_all", graph + "Sites.ReadWrite.All"},
	{"team_readbasic_all", graph + "Team.ReadBasic.All"}, {"team_readwrite_all", graph + "Team.ReadWrite.All"},
	{"user_read_all", graph + "User.Read.All"}, {"user_readbasic_all", graph + "User.ReadBasic.All"},
	{"offline_access", "offline_access"},
}

// liveFlags: scopes of Live Connect are called like the options, with wl. before.
func liveFlags() []Flag {
	var list []Flag
	for name := range strings.FieldsSeq(`signin basic emails applications applications_create birthday calendars
		calendars_update contacts_birthday contacts_calendars contacts_create contacts_photos contacts_skydrive
		events_create messenger offline_access phone_numbers photos postal_addresses share skydrive
		skydrive_update work_profile`) {
		list = append(list, Flag{name, "wl." + name})
	}
	return list
}
