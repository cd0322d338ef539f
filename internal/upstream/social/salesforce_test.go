package social

import "testing"

// TestSalesforceIdentity: the access token goes where the token answer says, so
// that must be nobody else's address.
func TestSalesforceIdentity(t *testing.T) {
	const (
		production = "https://login.salesforce.com/services/oauth2/token"
		own        = "https://acme.my.salesforce.com/services/oauth2/token"
		loopback   = "http://127.0.0.1:4711/token"
		path       = "/id/00Dx0000000AbCdEAE/005x00000012Q9PAAU"
	)
	rows := []struct {
		token, id string
		want      bool
	}{
		{production, "https://login.salesforce.com" + path, true},
		{own, "https://acme.my.salesforce.com" + path, true},
		{own, "https://login.salesforce.com" + path, true},
		{own, "https://test.salesforce.com" + path, true},
		{loopback, "http://127.0.0.1:4711" + path, true},
		{loopback, "https://127.0.0.1:4711" + path, true},

		{production, "", false},
		{production, path, false},
		{production, "//login.salesforce.com" + path, false},
		{production, "http://login.salesforce.com" + path, false},
		{own, "http://acme.my.salesforce.com" + path, false},
		{loopback, "http://login.salesforce.com" + path, false},
		{loopback, "http://127.0.0.1:4712" + path, false},
		{loopback, "http://127.0.0.1" + path, false},
		{production, "https://login.salesforce.com:8443" + path, false},
		{production, "https://evil.example" + path, false},
		{production, "https://login.salesforce.com.evil.example" + path, false},
		{production, "https://login.salesforce.com@evil.example" + path, false},
		{production, "https://evil.example#@login.salesforce.com" + path, false},
		{production, `https://evil.example\@login.salesforce.com` + path, false},
		{production, "https://user:secret@login.salesforce.com" + path, false},
		{production, "https://169.254.169.254" + path, false},
		{production, "https://acme.my.salesforce.com" + path, false},
		{production, "file:///etc/passwd", false},
		{production, "javascript:alert(1)", false},
	}
	for _, row := range rows {
		got, err := salesforceIdentity(row.token, row.id)
		if (err == nil) != row.want {
			t.Errorf("%s, token from %s: %v", row.id, row.token, err)
		}
		if err == nil && got != row.id {
			t.Errorf("%s became %s", row.id, got)
		}
	}
}
