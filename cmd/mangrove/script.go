package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"mangrove/internal/config"
	"mangrove/internal/script"
)

type scriptCommand struct {
	Run   scriptRunCommand   `cmd:"" help:"Try an action of a custom database."`
	Check scriptCheckCommand `cmd:"" help:"Read scripts, and tell what is no JavaScript."`
}

// Help is printed below the summary of --help.
func (scriptCommand) Help() string {
	return `Examples:

  mangrove script check login.js get_user.js
  mangrove script run --connection legacy --action login --arg identifier=ann@example.com --arg password=-`
}

type scriptRunCommand struct {
	Connection    string   `help:"Name or id of the connection." placeholder:"NAME" required:""`
	Action        string   `help:"login, get_user, create, verify, change_password, change_email, change_username, change_phone_number, delete or list." placeholder:"NAME" required:""`
	Arg           []string `help:"A parameter: NAME=TEXT, NAME=- for a secret that is asked for, NAME:=JSON, NAME:=@FILE for JSON in a file. May be repeated." placeholder:"NAME=VALUE" sep:"none" aliases:"args"`
	Script        string   `help:"Run this source, - for the standard input, instead of what the connection has for the action." placeholder:"FILE"`
	Configuration []string `help:"A value of configuration for this run, KEY=- for one that is asked for. May be repeated; what is not named is as the connection has it." placeholder:"KEY=VALUE" sep:"none"`

	access `embed:""`
}

// Help is printed below the summary of --help.
func (scriptRunCommand) Help() string {
	return `Nothing is changed here: nobody is created, and no script is saved. The action itself does what it says:
create, change_… and delete change the other database.

The answer goes to the standard output as JSON: result is what the action answered; of login and
get_user also profile, what would become of the person, dropped, what of the answer cannot be kept and why,
and refusal, if the person could not be taken. The console of the script goes to the standard error. The
exit status is 1 if the action failed. A value of - is asked for without being shown; where the standard
input is no terminal, it is a line of it, in the order of the names, those of --arg first.

Examples:

  mangrove script run --connection legacy --action login --arg identifier=ann@example.com --arg password=-
  mangrove script run --connection legacy --action get_user --arg identifier=ann@example.com \
      --script get_user.js --configuration DB_PASSWORD=-
  mangrove script run --connection legacy --action create --arg user:=@user.json
  mangrove script run --connection legacy --action list --arg after= --arg limit:=10 --server https://id.example.com`
}

// tryRequest is the body of POST /connections/{id}/actions/{action}/try.
type tryRequest struct {
	Args    map[string]json.RawMessage `json:"args"`
	Options map[string]any             `json:"options,omitempty"`
}

// tried is its answer.
type tried struct {
	OK      bool          `json:"ok"`
	Error   *actionError  `json:"error"`
	Console []consoleLine `json:"console"`
	Took    int64         `json:"milliseconds"`
	outcome
}

// outcome is what came of it, and of login and get_user what a login would make of that.
type outcome struct {
	Result  json.RawMessage `json:"result"`
	Profile json.RawMessage `json:"profile,omitempty"`
	Dropped json.RawMessage `json:"dropped,omitempty"`
	Refusal string          `json:"refusal,omitempty"`
}

// consoleLine is a line that a script wrote.
type consoleLine struct{ Level, Text string }

// actionError is why an action failed.
type actionError struct {
	Kind    string `json:"kind"`
	UserID  string `json:"user_id"` // whom the action named, though it refused
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  string `json:"detail"`
}

func (e *actionError) Error() string {
	text := "the action failed: " + e.Kind
	for _, s := range []string{e.UserID, e.Code, e.Message, e.Detail} {
		if s != "" {
			text += ": " + s
		}
	}
	lines := strings.Split(text, "\n") // the detail may have frames of the script
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n    ")
}

// Run has the server run the action, and shows what came of it.
func (c *scriptRunCommand) Run(ctx context.Context, file *config.File, std streams) (err error) {
	typed := newTyped(os.Stdin, std.err)
	req := tryRequest{Options: map[string]any{}}
	if req.Args, err = arguments(ctx, c.Arg, typed); err != nil {
		return err
	}
	configuration, err := pairs(ctx, "--configuration", c.Configuration, typed)
	if err != nil {
		return err
	}
	if len(configuration) > 0 {
		req.Options["configuration"] = configuration
	}
	if c.Script != "" {
		if c.Script == "-" && typed.used {
			return errors.New("--script -: the standard input is read for a value already")
		}
		source, err := readAll(c.Script, maxSource)
		if err != nil {
			return fmt.Errorf("--script: %w", err)
		}
		if err := checked(c.Script, source); err != nil {
			return err
		}
		req.Options["customScripts"] = map[string]string{c.Action: string(source)}
	}
	m, err := c.open(ctx, file, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	into, err := m.connection(ctx, c.Connection)
	if err != nil {
		return err
	}
	var got tried
	if err := m.post(ctx, "/connections/"+into.ID+"/actions/"+url.PathEscape(c.Action)+"/try", req, &got); err != nil {
		return err
	}
	return got.tell(std)
}

// tell shows the console and the answer.
func (t *tried) tell(std streams) error {
	for _, l := range t.Console {
		for line := range strings.Lines(l.Text) {
			fmt.Fprintf(std.err, "%-5s  %s\n", printable(l.Level), printable(strings.TrimRight(line, "\r\n")))
		}
	}
	fmt.Fprintf(std.err, "took %d ms\n", t.Took)
	if t.OK || t.Result != nil { // an answer that means nothing is shown, too
		e := json.NewEncoder(std.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(t.outcome); err != nil {
			return err
		}
	}
	switch {
	case t.OK:
		return nil
	case t.Error == nil:
		return &actionError{Kind: "no reason was given"}
	}
	return t.Error
}

// arguments reads what --arg says.
func arguments(ctx context.Context, list []string, typed *typed) (map[string]json.RawMessage, error) {
	args := map[string]json.RawMessage{}
	var texts []string
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		name, isJSON := strings.CutSuffix(name, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("--arg: %s is not NAME=VALUE", named(name, ok))
		}
		if !isJSON {
			texts = append(texts, s)
			continue
		}
		b := []byte(value)
		if from, ok := strings.CutPrefix(value, "@"); ok {
			var err error
			if b, err = readAll(from, maxAnswer); err != nil {
				return nil, fmt.Errorf("--arg %s: %w", name, err)
			}
		}
		if !json.Valid(b) {
			return nil, fmt.Errorf("--arg %s: the value is no JSON", name)
		}
		args[name] = b
	}
	given, err := pairs(ctx, "--arg", texts, typed)
	if err != nil {
		return nil, err
	}
	for name, value := range given {
		if _, twice := args[name]; twice {
			return nil, fmt.Errorf("--arg %s is given twice", name)
		}
		b, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		args[name] = b
	}
	return args, nil
}

// named is a name for a message; what has no name is not repeated: it may be a secret.
func named(name string, cut bool) string {
	if cut || name == "" {
		return "a value without a name"
	}
	return "a name without a value"
}

// pairs reads NAME=VALUE, asking for those whose value is -, in the order of names.
func pairs(ctx context.Context, flag string, list []string, typed *typed) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: %s is not NAME=VALUE", flag, named(name, ok))
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%s %s is given twice", flag, name)
		}
		out[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if out[name] != "-" {
			continue
		}
		value, err := typed.line(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, name, err)
		}
		out[name] = value
	}
	return out, nil
}

// maxSource bounds a script that is sent; the server's own bound is lower.
const maxSource = 1 << 20

// readAll reads a file of at most so many bytes.
func readAll(name string, most int64) ([]byte, error) {
	in, _, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", name, most)
	}
	return b, err
}

type scriptCheckCommand struct {
	Files []string `arg:"" name:"file" help:"Sources; - for the standard input."`
}

// Help is printed below the summary of --help.
func (scriptCheckCommand) Help() string {
	return `Nothing is run. Each mistake is a line: file, line of the file, what is wrong. The exit status is 1 if
there is one.

Example:

  mangrove script check login.js get_user.js`
}

// Run reads the files.
func (c *scriptCheckCommand) Run(std streams) error {
	wrong := 0
	for _, name := range c.Files {
		source, err := readAll(name, maxSource)
		if err != nil {
			return err
		}
		if err := checked(name, source); err != nil {
			fmt.Fprintln(std.out, err)
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d scripts cannot be read", wrong, len(c.Files))
	}
	return nil
}

// checked reads a source as the server does. The error is a line that editors know.
func checked(name string, source []byte) error {
	if name == "-" {
		name = "standard input"
	}
	if len(strings.TrimSpace(string(source))) == 0 {
		return fmt.Errorf("%s: is empty", name)
	}
	err := script.Check(string(source), nil)
	var f *script.Failure
	if !errors.As(err, &f) {
		return err
	}
	if f.Line > 0 {
		name = fmt.Sprintf("%s:%d", name, f.Line)
	}
	return fmt.Errorf("%s: %s", name, printable(strings.TrimPrefix(f.Message, fmt.Sprintf("line %d: ", f.Line))))
}
