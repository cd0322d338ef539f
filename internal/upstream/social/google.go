package social

import (
	"net/url"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

const googleScope = "https://www.googleapis.com/auth/"

// Google, for accounts of any kind; hd names the Workspace domain of an account.
var _ = register(&Provider{
	Strategy:  "google-oauth2",
	Authorize: "https://accounts.google.com/o/oauth2/v2/auth",
	Token:     "https://oauth2.googleapis.com/token",
	PKCE:      true,
	Ask: func(o strictjson.Document, q url.Values) {
		if o.Flag("offline_access") {
			q.Set("access_type", "offline")
		}
	},
	Scope: Scope{Default: []string{"email", "profile"}, Filled: []string{"email", "profile"}, Flags: googleFlags, Stored: Array},
	Requests: []Request{
		{Name: "profile", URL: "https://openidconnect.googleapis.com/v1/userinfo"},
	},
	Map: Mapping{
		ID: "sub | id", // the older userinfo, which may be set as endpoint, has id and verified_email
		Fields: []Field{
			{profile.Name, "name"},
			{profile.GivenName, "given_name"},
			{profile.FamilyName, "family_name"},
			{profile.Picture, "picture"},
			{profile.Email, "email"},
			{"locale", "locale"},
			{"idp_tenant_domain", "hd"},
		},
		Verified: "email_verified | verified_email",
	},
})

// googleFlags are the flags of reference/connections.md §2.13. Some stand for
// scopes of services that are gone: Google answers for them, not we.
var googleFlags = []Flag{
	{"email", "email"},
	{"profile", "profile"},
	{"offline_access", ""}, // access_type=offline, not a scope
	{"adsense_management", googleScope + "adsense"},
	{"analytics", googleScope + "analytics"},
	{"blogger", googleScope + "blogger"},
	{"calendar", googleScope + "calendar"},
	{"calendar_addons_execute", googleScope + "calendar.addons.execute"},
	{"calendar_events", googleScope + "calendar.events"},
	{"calendar_events_readonly", googleScope + "calendar.events.readonly"},
	{"calendar_settings_readonly", googleScope + "calendar.settings.readonly"},
	{"chrome_web_store", googleScope + "chromewebstore.readonly"},
	{"contacts", "https://www.google.com/m8/feeds"},
	{"contacts_new", googleScope + "contacts"},
	{"contacts_other_readonly", googleScope + "contacts.other.readonly"},
	{"contacts_readonly", googleScope + "contacts.readonly"},
	{"content_api_for_shopping", googleScope + "content"},
	{"coordinate", googleScope + "coordinate"},
	{"coordinate_readonly", googleScope + "coordinate.readonly"},
	{"directory_readonly", googleScope + "directory.readonly"},
	{"document_list", "https://docs.google.com/feeds"},
	{"drive", googleScope + "drive"},
	{"drive_activity", googleScope + "drive.activity"},
	{"drive_activity_readonly", googleScope + "drive.activity.readonly"},
	{"drive_appdata", googleScope + "drive.appdata"},
	{"drive_apps_readonly", googleScope + "drive.apps.readonly"},
	{"drive_file", googleScope + "drive.file"},
	{"drive_metadata", googleScope + "drive.metadata"},
	{"drive_metadata_readonly", googleScope + "drive.metadata.readonly"},
	{"drive_photos_readonly", googleScope + "drive.photos.readonly"},
	{"drive_readonly", googleScope + "drive.readonly"},
	{"drive_scripts", googleScope + "drive.scripts"},
	{"gmail", "https://mail.google.com/mail/feed/atom"},
	{"gmail_compose", googleScope + "gmail.compose"},
	{"gmail_insert", googleScope + "gmail.insert"},
	{"gmail_labels", googleScope + "gmail.labels"},
	{"gmail_metadata", googleScope + "gmail.metadata"},
	{"gmail_modify", googleScope + "gmail.modify"},
	{"gmail_new", "https://mail.google.com/"},
	{"gmail_readonly", googleScope + "gmail.readonly"},
	{"gmail_send", googleScope + "gmail.send"},
	{"gmail_settings_basic", googleScope + "gmail.settings.basic"},
	{"gmail_settings_sharing", googleScope + "gmail.settings.sharing"},
	{"google_affiliate_network", googleScope + "gan"},
	{"google_books", googleScope + "books"},
	{"google_cloud_storage", googleScope + "devstorage.read_write"},
	{"google_drive", googleScope + "drive"},
	{"google_drive_files", googleScope + "drive.file"},
	{"google_plus", googleScope + "plus.me"},
	{"latitude_best", googleScope + "latitude.all.best"},
	{"latitude_city", googleScope + "latitude.all.city"},
	{"moderator", googleScope + "moderator"},
	{"orkut", googleScope + "orkut"},
	{"picasa_web", "https://picasaweb.google.com/data"},
	{"sites", "https://sites.google.com/feeds"},
	{"tasks", googleScope + "tasks"},
	{"tasks_readonly", googleScope + "tasks.readonly"},
	{"url_shortener", googleScope + "urlshortener"},
	{"webmaster_tools", "https://www.google.com/webmasters/tools/feeds"},
	{"youtube", "https://gdata.youtube.com"},
	{"youtube_channelmemberships_creator", googleScope + "youtube.channel-memberships.creator"},
	{"youtube_new", googleScope + "youtube"},
	{"youtube_readonly", googleScope + "youtube.readonly"},
	{"youtube_upload", googleScope + "youtube.upload"},
	{"youtubepartner", googleScope + "youtubepartner"},
}
