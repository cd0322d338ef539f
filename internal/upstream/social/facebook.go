package social

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/profile"
)

const facebookVersion = "v23.0"

// Facebook. Its answer does not say whether an address is confirmed, so that none is
// taken for proven.
var _ = register(&Provider{
	Strategy:  "facebook",
	Authorize: "https://www.facebook.com/" + facebookVersion + "/dialog/oauth",
	Token:     "https://graph.facebook.com/" + facebookVersion + "/oauth/access_token",
	Scope: Scope{
		Always: []string{"public_profile"}, Default: []string{"email"}, Separator: ",", Stored: CommaText,
		Flags: flagsNamedLikeScopes(`public_profile email ads_management ads_read business_management
			groups_access_member_info leads_retrieval manage_notifications manage_pages pages_manage_cta
			pages_manage_instant_articles pages_messaging pages_messaging_phone_number pages_messaging_subscriptions
			pages_show_list publish_actions publish_pages publish_to_groups publish_video read_audience_network_insights
			read_insights read_mailbox read_page_mailboxes read_stream user_age_range user_birthday user_events
			user_friends user_gender user_groups user_hometown user_likes user_link user_location user_managed_groups
			user_photos user_posts user_status user_tagged_places user_videos`),
	},
	Requests: []Request{
		{Name: "profile", URL: "https://graph.facebook.com/" + facebookVersion + "/me", Edit: facebookQuestion},
	},
	Map: Mapping{
		ID: "id",
		Fields: []Field{
			{profile.Name, "name"},
			{profile.GivenName, "first_name"},
			{profile.FamilyName, "last_name"},
			{profile.Picture, "picture.data.url"},
			{profile.Email, "email"},
		},
	},
})

// facebookFields are what is asked for beside the basic profile, by scope.
var facebookFields = []struct{ scope, field string }{
	{"user_age_range", "age_range"}, {"user_birthday", "birthday"}, {"user_gender", "gender"}, {"user_hometown", "hometown"},
	{"user_likes", "likes"}, {"user_link", "link"}, {"user_location", "location"},
}

// facebookQuestion names the fields, and proves that who asks knows the secret:
// applications can be set to insist on that.
func facebookQuestion(a *Answers, q url.Values, _ http.Header) {
	fields := "id,name,first_name,last_name,middle_name,name_format,picture,short_name,email"
	for _, f := range facebookFields {
		for _, s := range a.Scopes {
			if s == f.scope {
				fields += "," + f.field
			}
		}
	}
	if a.Options.Flag("allow_context_profile_field") {
		fields += ",context"
	}
	q.Set("fields", fields)
	mac := hmac.New(sha256.New, []byte(a.ClientSecret))
	mac.Write([]byte(a.AccessToken))
	q.Set("appsecret_proof", hex.EncodeToString(mac.Sum(nil)))
}

// flagsNamedLikeScopes are flags that stand for the scope of their own name.
func flagsNamedLikeScopes(words string) []Flag {
	var list []Flag
	for _, w := range strings.Fields(words) {
		list = append(list, Flag{w, w})
	}
	return list
}
