package customdb

import (
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Carrier is what runs an action.
type Carrier string

// The carriers. SQL and Webhook are ours.
const (
	None    Carrier = ""
	Script  Carrier = "script"
	SQL     Carrier = "sql"
	Webhook Carrier = "webhook"
)

// Mode is how far an import-mode connection asks its old store (options.migration.mode;
// ours).
type Mode string

// The modes.
const (
	On     Mode = "on"     // the default: people migrate when they sign in
	Shadow Mode = "shadow" // both are asked and compared, and nothing changes
	Off    Mode = "off"    // the old store is never asked
)

// Options are the members of a connection's options that make it a custom database.
// All of it is shared and must not be changed.
type Options struct {
	// Scripts are the sources of customScripts.
	Scripts map[Action]string
	// SQL are the statements of options.sql, and SQLURL where they go, with
	// configuration filled in; empty: there are none.
	SQL    map[Action]string
	SQLURL string
	// WebhookURL, WebhookSecret and WebhookActions are options.webhook, with
	// configuration filled in.
	WebhookURL, WebhookSecret string
	WebhookActions            []Action
	// Configuration are the values that scripts see.
	Configuration map[string]string
	// Context: scripts take a context before their callback (enable_script_context).
	Context bool
	// Mode and RecreatesDeleted are options.migration. RecreatesDeleted: whoever was
	// deleted here may come again out of the old store.
	Mode             Mode
	RecreatesDeleted bool
}

// OptionsOf reads a connection, once for each version of it. A connection that is no
// custom database has no actions.
func OptionsOf(c *connection.Connection) *Options { return connection.Memo(c, read) }

func read(c *connection.Connection) *Options {
	if class := c.Class(); class != profile.ImportDatabase && class != profile.ExternalDatabase {
		return &Options{Mode: Off}
	}
	return ParseOptions(c.Document())
}

// ParseOptions reads options as they are stored.
func ParseOptions(d strictjson.Document) *Options {
	o := &Options{
		Scripts: map[Action]string{}, SQL: map[Action]string{}, Configuration: map[string]string{},
		Context: d.Flag("enable_script_context"), Mode: On,
	}
	sealed := d.Object("configuration")
	for key := range sealed {
		value := sealed.Object(key)["value"]
		if o.Configuration[key] = profile.TextOf(value); o.Configuration[key] == "" && len(value) > 0 && value[0] != '"' {
			o.Configuration[key] = string(value) // scripts see texts alone
		}
	}
	scripts, sql, webhook := d.Object("customScripts"), d.Object("sql"), d.Object("webhook")
	for _, a := range Actions {
		if s := scripts.Text(string(a)); s != "" {
			o.Scripts[a] = s
		}
		if q := sql.Text(string(a)); q != "" {
			o.SQL[a] = q
		}
	}
	o.SQLURL = o.fillURL(sql.Text("url"))
	o.WebhookURL, o.WebhookSecret = o.fillURL(webhook.Text("url")), o.fill(webhook.Text("secret"))
	for _, name := range webhook.Texts("actions") {
		if a := Action(name); slices.Contains(Actions, a) {
			o.WebhookActions = append(o.WebhookActions, a)
		}
	}
	migration := d.Object("migration")
	switch m := Mode(migration.Text("mode")); m {
	case Shadow, Off:
		o.Mode = m
	}
	o.RecreatesDeleted = migration.Flag("recreate_deleted")
	return o
}

// fill puts values of configuration into a text, in the place of ${NAME}.
func (o *Options) fill(text string) string {
	return o.replace(text, func(value string) string { return value })
}

// fillURL escapes what it puts into an address: a password may have any character. An
// address that is all in configuration is one already.
func (o *Options) fillURL(address string) string {
	if name, ok := strings.CutPrefix(address, "${"); ok && strings.IndexByte(name, '}') == len(name)-1 {
		return o.fill(address)
	}
	return o.replace(address, func(value string) string { return strings.ReplaceAll(url.PathEscape(value), "@", "%40") })
}

func (o *Options) replace(text string, written func(string) string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	pairs := make([]string, 0, 2*len(o.Configuration))
	for key, value := range o.Configuration {
		pairs = append(pairs, "${"+key+"}", written(value))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Carrier is what runs the action: a script, or else a statement, or else the webhook.
func (o *Options) Carrier(a Action) Carrier {
	switch {
	case o.Scripts[a] != "":
		return Script
	case o.SQLURL != "" && o.SQL[a] != "":
		return SQL
	case o.WebhookURL != "" && slices.Contains(o.WebhookActions, a):
		return Webhook
	}
	return None
}

// Has reports whether somebody runs the action.
func (o *Options) Has(a Action) bool { return o.Carrier(a) != None }

// Secrets are what no console and no error may tell.
func (o *Options) Secrets() []string {
	var list []string
	for _, v := range o.Configuration {
		if v != "" {
			list = append(list, v)
		}
	}
	if o.WebhookSecret != "" {
		list = append(list, o.WebhookSecret)
	}
	return list
}
