package user

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/query"
)

// spell writes a plan so that a table can hold it: & all of, | any of, ! except,
// path=values, path~pattern, path[low,high), ALL and NONE.
func spell(p Plan) string {
	each := func(plans []Plan, sep string) string {
		s := make([]string, len(plans))
		for i, p := range plans {
			s[i] = spell(p)
		}
		return "(" + strings.Join(s, sep) + ")"
	}
	switch p := p.(type) {
	case AllOf:
		return each(p, " & ")
	case AnyOf:
		if len(p) == 0 {
			return "NONE"
		}
		return each(p, " | ")
	case Except:
		return "!" + spell(p.Plan)
	case *Lookup:
		return spellLookup(p)
	}
	return "ALL"
}

func spellLookup(l *Lookup) string {
	if l.Exact != nil {
		values := make([]string, len(l.Exact))
		for i, v := range l.Exact {
			values[i] = spellValue(v)
		}
		return l.Path + "=" + strings.Join(values, ",")
	}
	if b := l.Range; b != nil {
		return fmt.Sprintf("%s%c%s,%s%c", l.Path, "[("[either(b.LowExclusive)], spellValue(b.Low), spellValue(b.High), "])"[either(b.HighExclusive)])
	}
	s := l.Path + "~" + l.Pattern[0]
	for i, piece := range l.Pattern[1:] {
		s += string("*?"[either(l.Single != nil && l.Single[i])]) + piece
	}
	return s
}

func either(b bool) int {
	if b {
		return 1
	}
	return 0
}

// spellValue writes numbers and moments so that they can be read.
func spellValue(v string) string {
	var bits uint64
	switch {
	case len(v) == 17 && v[0] == 'n':
		for f := range 2000 {
			if NumberTerm(float64(f)/2-500) == v {
				return fmt.Sprintf("#%v", float64(f)/2-500)
			}
		}
	case len(v) == 17 && v[0] == 'd':
		fmt.Sscanf(v[1:], "%x", &bits)
		return time.UnixMilli(int64(bits)).UTC().Format("2006-01-02T15:04:05.000")
	}
	return v
}

func TestSearchPlan(t *testing.T) {
	for _, c := range []struct{ name, q, want string }{
		{"everybody", ``, `ALL`},
		{"star", `*`, `ALL`},

		{"e-mail, any case", `email:"Ann@Example.COM"`, `email=sann@example.com`},
		{"name, any case", `name:"Jane SMITH"`, `name=sjane smith`},
		{"given name", `given_name:Jane`, `given_name=sjane`},
		{"family name", `family_name:SMITH`, `family_name=ssmith`},
		{"nickname", `nickname:J`, `nickname=sj`},
		{"letters of the world", `name:ÅSE`, `name=såse`},
		{"domain", `email.domain:Example.com`, `email.domain=sexample.com`},
		{"username as it is", `username:Ann`, `username=sAnn`},
		{"user_id as it is", `user_id:auth0|Ab`, `user_id=sauth0|Ab`},
		{"phone number", `phone_number:"+4790"`, `phone_number=s+4790`},
		{"last ip", `last_ip:10.0.0.1`, `last_ip=s10.0.0.1`},

		{"verified", `email_verified:true`, `email_verified=b1`},
		{"not verified, quoted", `email_verified:"false"`, `email_verified=b0`},
		{"phone verified", `phone_verified:true`, `phone_verified=b1`},
		{"blocked", `blocked:true`, `blocked=b1`},
		{"no truth value", `blocked:yes`, `NONE`},
		{"truth in capitals", `blocked:TRUE`, `NONE`},

		{"count", `logins_count:5`, `logins_count=n#5`},
		{"counts", `logins_count:[5 TO 10}`, `logins_count[#5,#10)`},
		{"counts from", `logins_count:{5 TO *]`, `logins_count(#5,]`},
		{"counts to", `logins_count:[* TO 5]`, `logins_count[,#5]`},

		{"a day", `created_at:2020-02-28`, `created_at[2020-02-28T00:00:00.000,2020-02-29T00:00:00.000)`},
		{"a month", `created_at:2020-02`, `created_at[2020-02-01T00:00:00.000,2020-03-01T00:00:00.000)`},
		{"a year", `last_login:2020`, `last_login[2020-01-01T00:00:00.000,2021-01-01T00:00:00.000)`},
		{"through a year", `created_at:[2019 TO 2020]`, `created_at[2019-01-01T00:00:00.000,2021-01-01T00:00:00.000)`},
		{"between years", `created_at:{2018 TO 2020}`, `created_at[2019-01-01T00:00:00.000,2020-01-01T00:00:00.000)`},
		{"since", `last_login:[2020-05-06 TO *]`, `last_login[2020-05-06T00:00:00.000,]`},
		{"behind", `last_login:{2020-05-06 TO *]`, `last_login[2020-05-07T00:00:00.000,]`},
		{"up to", `last_login:[* TO 2020-05-06]`, `last_login[,2020-05-07T00:00:00.000)`},
		{"before", `last_login:[* TO 2020-05-06}`, `last_login[,2020-05-06T00:00:00.000)`},
		{"moments", `created_at:[2020-01-01T10:00:00.250Z TO 2020-01-01T12:00:00+02:00]`, `created_at[2020-01-01T10:00:00.250,2020-01-01T10:00:01.000)`},
		{"a moment", `created_at:"2020-01-01T10:00:00.250Z"`, `created_at[2020-01-01T10:00:00.250,2020-01-01T10:00:00.251)`},
		{"before all time", `created_at:[1900 TO 1950]`, `created_at[1970-01-01T00:00:00.000,1970-01-01T00:00:00.000)`},
		{"updated since", `updated_at:[2020 TO *]`, `updated_at[2020-01-01T00:00:00.000,]`},
		{"updated before", `updated_at:[* TO 2020}`, `updated_at[,2020-01-01T00:00:00.000)`},
		{"updated in", `updated_at:2020`, `updated_at[2020-01-01T00:00:00.000,2021-01-01T00:00:00.000)`},

		{"connection", `identities.connection:"google-oauth2"`, `identities.connection=sgoogle-oauth2`},
		{"provider", `identities.provider:auth0`, `identities.provider=sauth0`},
		{"id at the provider", `identities.user_id:Ab*`, `identities.user_id~Ab*`},
		{"social", `identities.isSocial:true`, `identities.isSocial=b1`},
		{"profile data", `identities.profileData.email:Ann*`, `identities.profileData.email~Ann*`},
		{"profile data, truth", `identities.profileData.email_verified:true`, `identities.profileData.email_verified=strue,b1`},

		{"metadata text", `user_metadata.color:Red`, `user_metadata.color=sRed`},
		{"metadata number", `user_metadata.address.no:5`, `user_metadata.address.no=s5,n#5`},
		{"metadata number, quoted", `app_metadata.no:"-2.50"`, `app_metadata.no=s-2.50,n#-2.5`},
		{"metadata, no number", `app_metadata.no:05`, `app_metadata.no=s05`},
		{"metadata, beyond numbers", `app_metadata.no:1e999`, `app_metadata.no=s1e999`},
		{"metadata truth", `app_metadata.vip:true`, `app_metadata.vip=strue,b1`},
		{"app_metadata prefix", `app_metadata.plan:Go*`, `app_metadata.plan~Go*`},
		{"app_metadata numbers", `app_metadata.no:[1 TO 2}`, `app_metadata.no[#1,#2)`},
		{"app_metadata numbers from", `app_metadata.no:{1 TO *]`, `app_metadata.no(#1,o)`},
		{"app_metadata numbers to", `app_metadata.no:[* TO 1]`, `app_metadata.no[n,#1]`},
		{"app_metadata texts", `app_metadata.since:[2020-01 TO B}`, `app_metadata.since[s2020-01,sB)`},
		{"app_metadata texts from", `app_metadata.since:[b TO *]`, `app_metadata.since[sb,t)`},
		{"app_metadata texts to", `app_metadata.since:[* TO b]`, `app_metadata.since[s,sb]`},

		{"no organizations", `organization_id:org_1`, `NONE`},
		{"connection without identities", `connection:db`, `NONE`},
		{"picture", `picture:*png`, `NONE`},
		{"last_password_reset", `last_password_reset:x`, `NONE`},
		{"hash", `password_hash:*`, `NONE`},
		{"hash exists", `_exists_:password_hash`, `NONE`},
		{"upstream token", `identities.access_token:a*`, `NONE`},
		{"upstream refresh token", `identities.refresh_token:[a TO b]`, `NONE`},
		{"a name that only begins like metadata", `user_metadatas:x`, `NONE`},
		{"unknown, whatever is asked", `shoe_size:[x TO 5} OR foo:*a* OR bar:1`, `NONE`},
		{"nobody without the unknown", `NOT password_hash:a*`, `ALL`},
		{"identities as a whole", `identities:x`, `NONE`},

		{"prefix of any length", `name:J*`, `name~j*`},
		{"suffix", `name:*USA`, `name~*usa`},
		{"contains", `name:*ohn*`, `name~*ohn*`},
		{"three characters, not bytes", `name:*åse`, `name~*åse`},
		{"infix", `name:Jane*Smith`, `name~jane*smith`},
		{"one character", `username:J?ne`, `username~J?ne`},
		{"mixed wildcards", `username:a?b*`, `username~a?b*`},
		{"one character first", `username:?ohn`, `username~?ohn`},

		{"text range", `name:[A TO M}`, `name[sa,sm)`},
		{"text range from", `username:{A TO *]`, `username(sA,]`},
		{"text range to", `last_ip:[* TO 10]`, `last_ip[,s10]`},

		{"bare", `Ann`, `(email=sann | name=sann | given_name=sann | family_name=sann | nickname=sann | username=sAnn | user_id=sAnn | phone_number=sAnn)`},
		{"bare prefix", `An*`, `(email~an* | name~an* | given_name~an* | family_name~an* | nickname~an* | username~An* | user_id~An* | phone_number~An*)`},

		{"exists: listed", `_exists_:given_name`, `?=given_name`},
		{"exists: family name", `_exists_:family_name`, `?=family_name`},
		{"exists: username", `_exists_:username`, `?=username`},
		{"exists: phone", `_exists_:phone_number`, `?=phone_number`},
		{"exists: metadata", `_exists_:user_metadata`, `?=user_metadata`},
		{"exists: in metadata", `_exists_:user_metadata.address.city`, `?=user_metadata.address.city`},
		{"exists: profile data", `_exists_:identities.profileData.name`, `?=identities.profileData.name`},
		{"exists: e-mail", `_exists_:email`, `!?=-email`},
		{"exists: domain", `_exists_:email.domain`, `!?=-email`},
		{"exists: name", `_exists_:name`, `!?=-name`},
		{"exists: nickname", `_exists_:nickname`, `!?=-nickname`},
		{"exists not: e-mail", `NOT _exists_:email`, `?=-email`},
		{"exists: truth", `_exists_:email_verified`, `email_verified=b0,b1`},
		{"exists: phone verified", `_exists_:phone_verified`, `phone_verified=b0,b1`},
		{"exists: blocked", `_exists_:blocked`, `blocked=b0,b1`},
		{"exists: login", `_exists_:last_login`, `?=last_login`},
		{"exists: count", `_exists_:logins_count`, `?=last_login`},
		{"exists: ip", `_exists_:last_ip`, `?=last_login`},
		{"exists: everybody has", `_exists_:user_id AND _exists_:created_at AND _exists_:updated_at AND _exists_:identities`, `ALL`},
		{"exists: identities", `_exists_:identities.connection AND _exists_:identities.provider AND _exists_:identities.user_id AND _exists_:identities.isSocial`, `ALL`},
		{"exists: organization", `_exists_:organization_id`, `NONE`},
		{"any value", `given_name:*`, `?=given_name`},
		{"any value, as a range", `user_metadata.color:[* TO *]`, `?=user_metadata.color`},

		{"never logged in", `NOT _exists_:logins_count OR logins_count:0`, `(!?=last_login | logins_count=n#0)`},
		{"unverified", `email_verified:false OR NOT _exists_:email_verified`, `(email_verified=b0 | !email_verified=b0,b1)`},
		{"of a connection", `identities.connection:"google-oauth2"`, `identities.connection=sgoogle-oauth2`},

		{"and", `name:a AND blocked:true`, `(name=sa & blocked=b1)`},
		{"or of one field is one question", `user_id:(b OR a OR b)`, `user_id=sa,sb`},
		{"or of fields", `user_id:a OR (name:b OR user_id:c)`, `(user_id=sa,sc | name=sb)`},
		{"or of patterns", `name:(a* OR b*)`, `(name~a* | name~b*)`},
		{"or of everybody", `name:a OR *`, `ALL`},
		{"or of nobody", `name:a OR foo:b`, `name=sa`},
		{"and of everybody", `* AND name:a`, `name=sa`},
		{"and of nobody", `name:a AND foo:b`, `NONE`},
		{"not", `NOT name:a`, `!name=sa`},
		{"not of not", `NOT (NOT name:a)`, `name=sa`},
		{"not everybody", `NOT *`, `NONE`},
		{"only exclusions", `-name:a -blocked:true`, `(!name=sa & !blocked=b1)`},
		{"excluded", `name:a* -name:ab`, `(name~a* & !name=sab)`},
	} {
		n, err := query.Parse(c.q)
		if err != nil {
			t.Errorf("%s: %s: %v", c.name, c.q, err)
			continue
		}
		p, err := SearchPlan(n)
		if err != nil {
			t.Errorf("%s: %s: %v", c.name, c.q, err)
			continue
		}
		want := strings.ReplaceAll(c.want, "n#", "#")
		if got := spell(p); got != want {
			t.Errorf("%s: %s\ngot  %s\nwant %s", c.name, c.q, got, want)
		}
	}
}

// What a question is merged into is not a part of another answer.
func TestSearchPlanKeepsItsParts(t *testing.T) {
	a, b := exactly("name", "sa"), exactly("name", "sb")
	anyOf([]Plan{b, a})
	if !slices.Equal(a.Exact, []string{"sa"}) || !slices.Equal(b.Exact, []string{"sb"}) {
		t.Errorf("%v, %v", a, b)
	}
}

func TestSearchPlanRefuses(t *testing.T) {
	const date = "expected a date: YYYY, YYYY-MM, YYYY-MM-DD, or ISO 8601 with a time"
	for _, c := range []struct {
		q    string
		at   int
		text string
	}{
		{`name:a AND created_at:x`, 11, date},
		{`last_login:[2020 TO 2020-13]`, 0, date},
		{`updated_at:[yesterday TO *]`, 0, date},
		{`created_at:"2020-02-30"`, 0, date},
		{`created_at:[now-1d TO *]`, 0, date},
		{`logins_count:many`, 0, "expected a number"},
		{`logins_count:[1 TO x]`, 0, "expected a number"},
		{`logins_count:0x10`, 0, "expected a number"},
		{`logins_count:1e999`, 0, "expected a number"},
		{`name:*oh*`, 0, "a pattern that begins with a wildcard needs 3 characters in a row"},
		{`name:?*`, 0, "a pattern that begins with a wildcard needs 3 characters in a row"},
		{`name:*åå`, 0, "a pattern that begins with a wildcard needs 3 characters in a row"},
		{`name:*a*b*c*`, 0, "a pattern that begins with a wildcard needs 3 characters in a row"},
		{`x *a`, 2, "a pattern that begins with a wildcard needs 3 characters in a row"},
		{`app_metadata.plan:*go`, 0, "a pattern that begins with a wildcard needs 3 characters in a row"},
		{`name:` + strings.Repeat("a", maxSearchText) + `å*`, 0, fmt.Sprintf("a pattern is at most %d bytes", maxSearchText)},
		{`name:[a TO ` + strings.Repeat("a", maxSearchText+1) + `]`, 0, fmt.Sprintf("a bound is at most %d bytes", maxSearchText)},
		{`user_metadata.color:re*`, 0, "wildcards in user_metadata are not supported"},
		{`x OR user_metadata.no:[1 TO 2]`, 5, "ranges in user_metadata are not supported"},
		{`logins_count:1*`, 0, "wildcards need a text field"},
		{`created_at:2020*`, 0, "wildcards need a text field"},
		{`blocked:t*`, 0, "wildcards need a text field"},
		{`blocked:[false TO true]`, 0, "ranges need a text, a number or a date"},
		{`_exists_:user_metadata.*`, 0, "_exists_ takes the name of one field"},
		{`_exists_:*`, 0, "_exists_ takes the name of one field"},
		{`_exists_:[a TO b]`, 0, "_exists_ takes the name of one field"},
		{`NOT (a OR logins_count:x)`, 10, "expected a number"},
	} {
		n, err := query.Parse(c.q)
		if err != nil {
			t.Errorf("%s: %v", c.q, err)
			continue
		}
		p, err := SearchPlan(n)
		var e *query.Error
		if !errors.As(err, &e) || p != nil {
			t.Errorf("%s: %v, %v", c.q, p, err)
			continue
		}
		if e.At != c.at || e.Text != c.text {
			t.Errorf("%s: %q at %d, want %q at %d", c.q, e.Text, e.At, c.text, c.at)
		}
	}
}
