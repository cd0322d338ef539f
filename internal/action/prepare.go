package action

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/foreigndb"
	"mangrove/internal/script"
	"mangrove/internal/strictjson"
)

// Preparer refuses options of database connections with which no action could run: a
// script that is no JavaScript, a statement with parameters that its action has not, an
// address that leads nowhere, a secret that everybody who may read the connection reads.
type Preparer struct{}

var _ connection.Preparer = Preparer{}

// Prepare implements connection.Preparer. Errors: 400 invalid_body, whose text names the
// option, and of a script the line.
func (Preparer) Prepare(_ context.Context, _ string, stored, next strictjson.Document) (strictjson.Document, error) {
	if err := checkScripts(stored.Object("customScripts"), next.Object("customScripts")); err != nil {
		return nil, err
	}
	if !next.Flag("enabledDatabaseCustomization") {
		for _, name := range []string{"sql", "webhook", "migration"} {
			if next.Object(name) != nil {
				return nil, refused("options.%s has an effect only together with options.enabledDatabaseCustomization", name)
			}
		}
		return next, nil
	}
	o, configuration := customdb.ParseOptions(next), next.Object("configuration")
	if err := checkSQL(o, next.Object("sql"), configuration); err != nil {
		return nil, err
	}
	return next, checkWebhook(o, next.Object("webhook"), configuration)
}

func refused(format string, args ...any) error {
	return errs.New(errs.Invalid, "invalid_body", format, args...)
}

// checkScripts leaves out a script that was stored before.
func checkScripts(stored, next strictjson.Document) error {
	for _, a := range customdb.Actions {
		source := next.Text(string(a))
		if source == "" || source == stored.Text(string(a)) {
			continue
		}
		if len(source) > maxSource {
			return refused("options.customScripts.%s is larger than %d KB", a, maxSource>>10)
		}
		var f *script.Failure
		if err := script.Check(source, names[a]); errors.As(err, &f) && f.Kind == script.Syntax {
			return refused("options.customScripts.%s is no JavaScript: %s", a, f.Message)
		}
	}
	return nil
}

func checkSQL(o *customdb.Options, sql, configuration strictjson.Document) error {
	if sql == nil {
		return nil
	}
	address := sql.Text("url")
	if err := checkNames("options.sql.url", address, configuration); err != nil {
		return err
	}
	target, err := foreigndb.ParseURL(o.SQLURL)
	if err != nil {
		return refused("options.sql.url: %s", reason(err))
	}
	if literalPassword(address) {
		return refused("options.sql.url must not hold a password: write ${NAME} in its place, and the password into options.configuration.NAME")
	}
	for _, a := range customdb.Actions {
		if !sql.Has(string(a)) {
			continue
		}
		if err := CheckStatement(target.Engine, a, sql.Text(string(a))); err != nil {
			return refused("options.sql.%s: %s", a, err)
		}
	}
	return nil
}

func checkWebhook(o *customdb.Options, webhook, configuration strictjson.Document) error {
	if webhook == nil {
		return nil
	}
	if err := checkNames("options.webhook.url", webhook.Text("url"), configuration); err != nil {
		return err
	}
	u, err := url.Parse(o.WebhookURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return refused("options.webhook.url must be an http or https URL without user and password")
	}
	secret := webhook.Text("secret")
	if secret != "" && !only.MatchString(secret) {
		return refused("options.webhook.secret must be ${NAME}, with the secret in options.configuration.NAME: what is written here can be read")
	}
	return checkNames("options.webhook.secret", secret, configuration)
}

// placeholder is a name of configuration in a text; only, a text that is nothing else.
var (
	placeholder = regexp.MustCompile(`\$\{([^{}]*)\}`)
	only        = regexp.MustCompile(`^` + placeholder.String() + `$`)
)

// checkNames refuses ${NAME} where configuration has no NAME.
func checkNames(option, text string, configuration strictjson.Document) error {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if configuration.Object(m[1]).Text("value") == "" {
			return refused("%s names %s, which options.configuration does not have", option, m[0])
		}
	}
	if strings.Contains(placeholder.ReplaceAllString(text, ""), "${") {
		return refused("%s holds a ${ without its }", option)
	}
	return nil
}

// literalPassword reports whether the password in an address is, or has a part, that is
// not in configuration. Of an address that cannot be read without its configuration it
// cannot be told, which counts as one.
func literalPassword(address string) bool {
	if only.MatchString(address) {
		return false
	}
	mark := 10001 // a number, since ports may be in configuration too
	for strings.Contains(address, strconv.Itoa(mark)) {
		mark++
	}
	sign := strconv.Itoa(mark)
	t, err := foreigndb.ParseURL(placeholder.ReplaceAllLiteralString(address, sign))
	return err != nil || strings.ReplaceAll(t.Password, sign, "") != ""
}

// reason is an error of foreigndb in words for whoever wrote the address.
func reason(err error) string {
	var e *foreigndb.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
