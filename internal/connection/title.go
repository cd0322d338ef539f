package connection

// titles are what people call the providers of social strategies.
var titles = map[string]string{
	"amazon": "Amazon", "apple": "Apple", "baidu": "Baidu", "bitbucket": "Bitbucket", "bitly": "Bitly", "box": "Box", "daccount": "d ACCOUNT",
	"dropbox": "Dropbox", "dwolla": "Dwolla", "evernote": "Evernote", "evernote-sandbox": "Evernote Sandbox", "exact": "Exact", "facebook": "Facebook",
	"fitbit": "Fitbit", "github": "GitHub", "google-oauth2": "Google", "instagram": "Instagram", "line": "LINE", "linkedin": "LinkedIn",
	"paypal": "PayPal", "paypal-sandbox": "PayPal Sandbox", "planningcenter": "Planning Center", "salesforce": "Salesforce",
	"salesforce-sandbox": "Salesforce Sandbox", "salesforce-community": "Salesforce Community", "shop": "Shop", "shopify": "Shopify",
	"soundcloud": "SoundCloud", "thirtysevensignals": "Basecamp", "twitter": "X", "untappd": "Untappd", "vkontakte": "VK", "weibo": "Weibo",
	"windowslive": "Microsoft", "wordpress": "WordPress", "yahoo": "Yahoo", "yandex": "Yandex",
}

// title is what people call a connection without display_name: its provider, when
// the connection is named after the strategy; else its name, by which two of one
// strategy are told apart.
func title(strategy, name string) string {
	if t := titles[strategy]; t != "" && name == strategy {
		return t
	}
	return name
}
