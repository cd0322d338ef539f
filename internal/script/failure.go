package script

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"modernc.org/quickjs"
)

// Kind says what ended a run without an answer.
type Kind string

// The kinds.
const (
	Threw      Kind = "threw"       // an error thrown, rejected or given to the callback
	Syntax     Kind = "syntax"      // the source is no JavaScript
	NoFunction Kind = "no function" // the source is or brings along no function
	NoAnswer   Kind = "no answer"   // nothing is left to do and the callback was not called
	TooLong    Kind = "too long"    // Limits.Time or Limits.Busy
	TooMuch    Kind = "too much"    // Limits.Memory, Result, Timers or Requests
	BadResult  Kind = "bad result"  // the answer is no strict JSON
	Busy       Kind = "busy"        // no sandbox became free
	Broken     Kind = "broken"      // the engine itself failed
)

// Failure is why a run has no answer. Its texts are the script's own words, with
// the secrets of the run masked; they may still speak of a person.
type Failure struct {
	Kind    Kind
	Name    string // of the JavaScript error; empty for what is no Error
	Message string
	Stack   string // the frames that are the script's own
	Line    int    // of the source, where it went wrong; zero: not known
	// Members are what else the error object carries (texts, numbers, booleans),
	// an object.
	Members json.RawMessage
}

func (f *Failure) Error() string {
	text := "script: " + string(f.Kind)
	if f.Name != "" {
		text += ": " + f.Name
	}
	if f.Message != "" {
		text += ": " + f.Message
	}
	return text
}

// The texts of a failure are cut to what a log record can hold.
const (
	maxMessage = 500
	maxStack   = 2000
)

func (f *Failure) clip(m mask) *Failure {
	f.Name, f.Message, f.Stack = clip(m.hide(f.Name), 100), clip(m.hide(f.Message), maxMessage), clip(m.hide(f.Stack), maxStack)
	if len(f.Members) > maxStack {
		f.Members = nil
	}
	if f.Members != nil {
		f.Members = json.RawMessage(m.hide(string(f.Members)))
	}
	return f
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// judge turns what the engine says into a failure.
func judge(name, message, stack string, null bool) *Failure {
	f := &Failure{Kind: Threw, Name: name, Message: message}
	f.Stack, f.Line = ownFrames(stack)
	switch {
	case null:
		f.Message = "null was thrown, which is also how the engine says that memory ran out"
	case name == "InternalError" && strings.Contains(message, "out of memory"):
		f.Kind = TooMuch
	case name == "InternalError" && message == "interrupted": // a few of the engine's own loops let it be caught
		f.Kind, f.Message = TooLong, "stopped at work"
	case name == "SyntaxError" && stack == "":
		f.Kind = Syntax
	}
	return f
}

var framePlace = regexp.MustCompile(`<eval>:(\d+):\d+\)?$`)

// ownFrames leaves the library's out of a trace.
func ownFrames(stack string) (own string, line int) {
	var b strings.Builder
	for frame := range strings.Lines(stack) {
		at := framePlace.FindStringSubmatch(strings.TrimSpace(frame))
		if at == nil {
			continue
		}
		n, err := strconv.Atoi(at[1])
		if err != nil || n >= libraryLine {
			continue
		}
		if line == 0 {
			line = n
		}
		b.WriteString(frame)
	}
	return b.String(), line
}

// tooLong says in which functions the engine was stopped, if it was at work. The line of
// the innermost is not known: it is that of the last call.
func tooLong(at *quickjs.Error, format string, limit time.Duration) *Failure {
	f := &Failure{Kind: TooLong, Message: fmt.Sprintf(format, limit)}
	if at != nil {
		f.Stack, _ = ownFrames(at.Stack)
	}
	return f
}

func tooMuch(format string, args ...any) *Failure {
	return &Failure{Kind: TooMuch, Message: fmt.Sprintf(format, args...)}
}
