package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mangrove/internal/customdb"
	"mangrove/internal/profile"
	"mangrove/internal/script"
	"mangrove/internal/strictjson"
)

// The limits of an action script (reference/connections.md §5.1, security.md 108–109).
var scriptLimits = script.Limits{
	Time: 20 * time.Second, Busy: 2 * time.Second, Memory: 64 << 20, Result: 100 << 10, Console: 16 << 10, Queries: 50,
}

// maxSource is how long the source of a script may be, in bytes.
const maxSource = 100 << 10

// names are what the function of an action is called where a source has several: the
// names that public templates give it, and the action's own.
var names = map[customdb.Action][]string{
	customdb.Login:             {"login"},
	customdb.GetUser:           {"getUser", "getByEmail", "get_user", "getByIdentifier"},
	customdb.Create:            {"create", "createUser"},
	customdb.Verify:            {"verify", "verifyEmail"},
	customdb.ChangePassword:    {"changePassword", "change_password"},
	customdb.ChangeEmail:       {"changeEmail", "change_email"},
	customdb.ChangeUsername:    {"changeUsername", "change_username"},
	customdb.ChangePhoneNumber: {"changePhoneNumber", "change_phone_number", "changePhone"},
	customdb.Delete:            {"remove", "deleteUser", "delete_user", "removeUser"},
	customdb.List:              {"list", "listUsers", "list_users"},
}

// script runs an action by its script: the parameters in their order, the context where
// it was asked for, the callback.
func (r *Runner) script(ctx context.Context, o *customdb.Options, call customdb.Call) (customdb.Answer, error) {
	args := make([]any, 0, len(call.Args)+1)
	for _, a := range call.Args {
		args = append(args, a.Value)
	}
	if o.Context {
		args = append(args, json.RawMessage("{}"))
	}
	got, err := r.scripts.Run(ctx, script.Call{
		Source: o.Scripts[call.Action], Names: names[call.Action], Args: args,
		Globals: map[string]any{"configuration": o.Configuration},
		Secrets: secrets(o, call), Limits: scriptLimits,
	})
	var f *script.Failure
	if errors.As(err, &f) {
		failure := ofScript(f)
		failure.Console = lines(got.Console)
		return customdb.Answer{}, failure
	}
	return customdb.Answer{Value: got.Result, Console: lines(got.Console)}, err
}

func lines(console []script.Line) []customdb.Line {
	list := make([]customdb.Line, 0, len(console))
	for _, l := range console {
		list = append(list, customdb.Line(l))
	}
	return slices.Clip(list)
}

// ofScript says what the failure of a script means. The names are those of the error
// classes (reference/connections.md §5.2): whoever makes an error of that name means it.
func ofScript(f *script.Failure) *customdb.Failure {
	detail := whereabouts(f)
	if f.Name == "InternalError" && f.Message == "stack overflow" { // a limit that scripts can catch
		return broken("the script was stopped at a limit", "stack overflow: "+detail)
	}
	if f.Kind != script.Threw {
		return broken(brokenScript(f), detail)
	}
	members := strictjson.ParseDocument(f.Members)
	out := &customdb.Failure{Kind: customdb.Failed, Message: f.Message, Detail: detail}
	switch f.Name {
	case "WrongUsernameOrPasswordError":
		out.Kind, out.UserID = customdb.Wrong, named(members["user_id"])
	case "ValidationError":
		out.Kind, out.Code = customdb.Invalid, profile.TextOf(members["code"])
		if out.Code == "" {
			out.Code = "validation_error"
		}
		if out.Message == "" {
			out.Message = out.Code
		}
	case "UnauthorizedError":
		out.Kind = customdb.Unauthorized
	}
	return out
}

// named is the first argument of WrongUsernameOrPasswordError where it names somebody:
// a text, or a number other than 0.
func named(v json.RawMessage) string {
	if s := profile.TextOf(v); s != "" {
		return s
	}
	if len(v) > 0 && (v[0] == '-' || v[0] >= '1' && v[0] <= '9') {
		return string(v)
	}
	return ""
}

// brokenScript says in a sentence why a script gave no answer.
func brokenScript(f *script.Failure) string {
	switch f.Kind {
	case script.Syntax:
		return "the script is no JavaScript"
	case script.NoFunction:
		return "the script has no function for this action"
	case script.NoAnswer:
		return "the script ended without calling its callback"
	case script.TooLong, script.TooMuch:
		return "the script was stopped at a limit"
	case script.BadResult:
		return "the script answered what cannot be written as JSON"
	case script.Busy:
		return "busy: " + f.Message
	}
	return "the script could not be run"
}

// whereabouts is for the operator: class, line, limit, and the frames of the script.
func whereabouts(f *script.Failure) string {
	text := f.Name
	if f.Kind != script.Threw {
		text = string(f.Kind) + ": " + f.Message
	}
	if f.Line > 0 {
		text += fmt.Sprintf(" at line %d", f.Line)
	}
	if code := strictjson.ParseDocument(f.Members)["code"]; len(code) > 0 && f.Name != "ValidationError" {
		text += " code " + string(code)
	}
	frames := 0
	for frame := range strings.Lines(f.Stack) {
		if frame = strings.TrimSpace(frame); frames < maxFrames && !strings.HasSuffix(text, "\n"+frame) { // a recursion is one of them
			text += "\n" + frame
			frames++
		}
	}
	return text
}

// maxFrames is how much of a trace is told.
const maxFrames = 8
