package social

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/script"
	"mangrove/internal/strictjson"
)

// Names of options.scripts.
const (
	profileScript = "fetchUserProfile"
	logoutScript  = "getLogoutUrl"
)

// shownToScripts are the options that a script sees as ctx.options. The secret
// and the headers, which may hold one, are not among them.
var shownToScripts = []string{
	"client_id", "scope", "authorizationURL", "tokenURL", "requestTokenURL", "accessTokenURL", "userAuthorizationURL",
	"authParams", "authParamsMap", "upstream_params", "pkce_enabled", "useOauthSpecScope",
}

// scriptContext is the script's ctx: the members of the token answer, options,
// and further members.
func scriptContext(a *Answers, further map[string]any) map[string]any {
	options := strictjson.Document{}
	for _, name := range shownToScripts {
		if v, ok := a.Options[name]; ok {
			options[name] = v
		}
	}
	ctx := map[string]any{"options": options}
	for name, v := range a.Token {
		ctx[name] = v
	}
	for name, v := range further {
		ctx[name] = v
	}
	return ctx
}

// scripted lets fetchUserProfile fill the profile. Scripts of old answer with
// what the provider said, where the person is called id.
func (k *Connector) scripted(ctx context.Context, a *Answers, args []any) error {
	got, err := k.scripts.Run(ctx, script.Call{
		Source: a.Options.Object("scripts").Text(profileScript), Names: []string{profileScript},
		Args: args, Fold: true, Secrets: secretsOf(a),
	})
	if err != nil {
		return scriptFailed(profileScript, err)
	}
	if len(got.Result) == 0 || got.Result[0] != '{' {
		return errRefused.Because(fmt.Errorf("%s: the result is no object", profileScript))
	}
	a.Profile = strictjson.ParseDocument(got.Result)
	if !a.Profile.Has("user_id") && a.Profile.Has("id") {
		a.Profile["user_id"] = a.Profile["id"]
		delete(a.Profile, "id")
	}
	return nil
}

func secretsOf(a *Answers) []string {
	list := []string{a.ClientSecret, a.AccessToken, a.TokenSecret, a.Token.Text("refresh_token"), a.Token.Text("id_token")}
	for _, v := range texts(a.Options.Object("customHeaders")) {
		list = append(list, v)
	}
	return list
}

// scriptedLogout asks getLogoutUrl(params, callback). An empty answer: nowhere.
func scriptedLogout(ctx context.Context, k *Connector, o strictjson.Document, q map[string]string) (string, error) {
	got, err := k.scripts.Run(ctx, script.Call{
		Source: o.Object("scripts").Text(logoutScript), Names: []string{logoutScript},
		Args: []any{q}, Secrets: []string{o.Text("client_secret"), q["id_token_hint"]},
	})
	if err != nil {
		return "", scriptFailed(logoutScript, err)
	}
	return profile.TextOf(got.Result), nil
}

// readable refuses options with a script that is no JavaScript. One that was stored
// before is not looked at again.
func readable(stored, next strictjson.Document) error {
	for _, name := range []string{profileScript, logoutScript} {
		source := next.Object("scripts").Text(name)
		if source == "" || source == stored.Object("scripts").Text(name) {
			continue
		}
		var f *script.Failure
		if err := script.Check(source, []string{name}); errors.As(err, &f) && f.Kind == script.Syntax {
			return errs.New(errs.Invalid, "invalid_body", "options.scripts.%s is no JavaScript: %s", name, f.Message)
		}
	}
	return nil
}

// scriptFailed is the refusal for a script without an answer.
func scriptFailed(name string, err error) error {
	var f *script.Failure
	if !errors.As(err, &f) {
		return errUnreachable.Because(fmt.Errorf("%s: %w", name, err))
	}
	cause := fmt.Errorf("%s: %s", name, told(f))
	switch f.Kind {
	case script.Syntax, script.NoFunction:
		return errConfig.Because(cause)
	case script.Busy, script.TooLong, script.Broken:
		return errUnreachable.Because(cause)
	default:
		return errRefused.Because(cause)
	}
}

// ownErrors are the errors of the engine. A script can throw them too, with what a
// provider said of a person, so of their text only engineWords are told.
var ownErrors = []string{"TypeError", "ReferenceError", "RangeError", "InternalError", "Error", "SyntaxError", "AxiosError"}

// engineWords are how the engine and its library begin to speak of a program.
var engineWords = regexp.MustCompile(`^(?:cannot (?:read|set|delete) property '[\w$]{1,60}' of (?:undefined|null)|` +
	`'?[\w$.]{1,60}'? is not (?:defined|a function|an object|iterable)|not a function|not an object|value is not iterable|` +
	`invalid array (?:length|index)|stack overflow|out of memory|fetch failed|Arrays here have at most \d+ items|` +
	`The result cannot be written as JSON|Cannot find module '[\w@./-]{1,60}')`)

// told is what the log may know of a failure.
func told(f *script.Failure) string {
	if f.Kind != script.Threw {
		return fmt.Sprintf("%s: %s", f.Kind, f.Message)
	}
	text := string(f.Kind)
	name := "a value that is no Error"
	if f.Name != "" {
		name = "an error of a class of its own"
	}
	if slices.Contains(ownErrors, f.Name) {
		name = f.Name
	}
	text += " " + name
	if f.Line > 0 {
		text += fmt.Sprintf(" at line %d", f.Line)
	}
	if words := engineWords.FindString(f.Message); words != "" {
		text += ": " + words
	}
	var members struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(f.Members, &members) == nil && requestCodes[members.Code] != "" {
		text += ": " + requestCodes[members.Code]
	}
	return text
}

// requestCodes are why a request of a script had no answer.
var requestCodes = map[string]string{
	"EACCES":       "a request to an internal address, which --outbound-allow does not name",
	"ECONNREFUSED": "a request to a server that cannot be reached",
	"ETIMEDOUT":    "a request that took too long",
}
