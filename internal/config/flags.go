package config

import (
	"fmt"

	"github.com/alecthomas/kong"
)

// Storage is the settings of every command that opens the database.
//
// All settings are text here, also those that are numbers or lists: only then
// can one wrong setting be reported together with all the others (Flags.Parse).
type Storage struct {
	Config    kong.ConfigFlag `help:"YAML file with settings; its keys are the names of these flags." placeholder:"FILE" env:"MANGROVE_CONFIG" group:"Storage"`
	Data      string          `help:"Directory for the embedded database, the key that seals secrets, and development certificates (default: ${default})." placeholder:"DIR" default:"./data" env:"MANGROVE_DATA" group:"Storage"`
	Database  string          `help:"postgres:// URL, or the path of a SQLite file (default: mangrove.db in the data directory). A URL with a password is better set by the variable than by the flag." placeholder:"URL" env:"MANGROVE_DATABASE" group:"Storage"`
	LogFormat string          `help:"Log lines as json or text (default: ${default})." placeholder:"FORMAT" default:"text" env:"MANGROVE_LOG_FORMAT" group:"Logs"`
	LogLevel  string          `help:"Least level that is logged: debug, info, warn or error (default: ${default})." placeholder:"LEVEL" default:"info" env:"MANGROVE_LOG_LEVEL" group:"Logs"`
}

// Flags is all settings, as text.
type Flags struct {
	Storage

	Listen         string `help:"Address to listen on (default: localhost:8443 with TLS, localhost:8080 without)." placeholder:"HOST:PORT" env:"MANGROVE_LISTEN" group:"Network"`
	PublicURL      string `help:"URL by which clients reach this server, without a path (default: made from --listen). The issuer is this URL and a slash, the Management API's audience this URL and /api/v2/." placeholder:"URL" env:"MANGROVE_PUBLIC_URL" group:"Network"`
	TLSCert        string `help:"Certificate chain for TLS (PEM)." placeholder:"FILE" env:"MANGROVE_TLS_CERT" group:"Network"`
	TLSKey         string `help:"Private key of the certificate (PEM)." placeholder:"FILE" env:"MANGROVE_TLS_KEY" group:"Network"`
	TLSDev         Switch `help:"TLS by a local authority of our own, kept in the data directory; says how to trust it. For development: the official clients accept nothing but https." env:"MANGROVE_TLS_DEV" group:"Network"`
	TrustedProxies string `help:"Networks whose X-Forwarded-For is believed." placeholder:"CIDR,…" env:"MANGROVE_TRUSTED_PROXIES" group:"Network"`
	OutboundAllow  string `help:"Internal networks that identity providers, directories, custom databases, metadata, scripts of connections and gateways may be in; all others are refused." placeholder:"CIDR,…" env:"MANGROVE_OUTBOUND_ALLOW" group:"Network"`

	Mail         string `help:"Mail server: smtp://user:password@host:587, smtps://user:password@host:465, the word directory, which writes mails to files in the data directory, or the word log, which prints them (on a public URL of this machine only). Without it mails are sent only while a provider is named by the Management API. A URL with a password is better set by the variable than by the flag." placeholder:"URL" env:"MANGROVE_MAIL" group:"Mail"`
	MailFrom     string `help:"Sender of all mails, like Mangrove <id@example.com>; needed with a mail server." placeholder:"ADDRESS" env:"MANGROVE_MAIL_FROM" group:"Mail"`
	MailOperator string `help:"Who is told by mail when an import has ended, if its request asked for that." placeholder:"ADDRESS" env:"MANGROVE_MAIL_OPERATOR" group:"Mail"`

	SMS        string `help:"Where text messages go whose connection names no provider: the word directory writes them to files in the data directory, for development. Without it such a connection sends none." placeholder:"directory" env:"MANGROVE_SMS" group:"SMS"`
	SMSPerHour string `help:"How many codes by SMS the whole tenant may ask for in an hour (default: ${default}). Each number has its own, narrower limit." placeholder:"NUMBER" default:"1000" env:"MANGROVE_SMS_PER_HOUR" group:"SMS"`

	ImportLimit    string `help:"Size limit of a file of users, like 512000, 500KB or 2GiB (default: ${default})." placeholder:"SIZE" default:"10GiB" env:"MANGROVE_IMPORT_LIMIT" group:"Users"`
	ImportJobs     string `help:"How many imports may be waiting or running at once; 0 is any number (default: ${default}). The hosted service has 2, and files of 512000." placeholder:"NUMBER" default:"0" env:"MANGROVE_IMPORT_JOBS" group:"Users"`
	NeutralPicture Switch `help:"Give users without a picture one of our own instead of a gravatar address, which tells a third party a hash of the e-mail address." env:"MANGROVE_NEUTRAL_PICTURE" group:"Users"`

	ManagementRateLimit string `help:"Calls that one client may make to one group of the Management API's endpoints (reading users, writing users, the rest), as burst/per second, like 50/16 (default: no limit). Each node counts for itself." placeholder:"BURST/RATE" env:"MANGROVE_MANAGEMENT_RATE_LIMIT" group:"Management API"`

	AuthenticationRateLimit string `help:"Calls that all together may make to the Authentication API, as burst/per second, like 300/5; or hosted, for the bounds of the hosted service, endpoint by endpoint (default: no limit). Each node counts for itself." placeholder:"BURST/RATE" env:"MANGROVE_AUTHENTICATION_RATE_LIMIT" group:"Authentication API"`
}

// Switch is yes or no, as text. The flag alone means yes.
type Switch string

// Decode implements kong.MapperValue; it takes any text.
func (s *Switch) Decode(ctx *kong.DecodeContext) error {
	*s = "true"
	if t := ctx.Scan.Peek(); t.Type == kong.FlagValueToken {
		*s = Switch(fmt.Sprint(ctx.Scan.Pop().Value))
	}
	return nil
}

// IsBool makes kong accept the flag without a value.
func (*Switch) IsBool() bool { return true }

// EnvironmentHelp is the part of --help about the secrets that are no flags.
const EnvironmentHelp = `Secrets are never arguments. They come from the environment:

  MANGROVE_SECRETS_KEY               base64 of the 32 bytes that seal secrets in the
                                     database; several, separated by commas: the first
                                     seals, all open. Without it, the file secrets.key
                                     in the data directory is used, or made.
  MANGROVE_BOOTSTRAP_CLIENT_ID       the management client that the first start creates;
  MANGROVE_BOOTSTRAP_CLIENT_SECRET   without them both are made up and printed once.

A flag is stronger than its variable, the variable stronger than the file.`

// names lists the settings, in the order of Flags.
func names() []string {
	k, err := kong.New(&Flags{}, (&File{}).Option())
	if err != nil {
		panic(err) // the tags above are wrong
	}
	var list []string
	for _, f := range k.Model.Flags {
		if f.Name != "help" && f.Name != "config" {
			list = append(list, f.Name)
		}
	}
	return list
}
