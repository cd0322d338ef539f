package script

import (
	"errors"
	"strings"
	"testing"
)

// TestCheck: nothing runs, and what cannot be read is told with its line.
func TestCheck(t *testing.T) {
	for _, row := range []struct{ source, want string }{ // empty: it can be read
		{`function (token, ctx, cb) { cb(null, {}); }`, ""},
		{`function fetchUserProfile(token, ctx, cb) { cb(null, {}) }`, ""},
		{`module.exports = async function () { return {} };`, ""},
		{`const x = 1; async function fetchUserProfile() { await x }`, ""},
		{`(function () { while (true) {} })()`, ""},
		{`throw new Error('at once')`, ""},
		{`no_such_name()`, ""},
		{"function (token, ctx, cb) {\n  cb(null, ]\n}", "line 2"},
		{"const x = 1;\n\nfunction fetchUserProfile( {", "line 3: at the end: a bracket is missing, or one is too many"},
		{"function (a, b, cb) {\n  if (a) {\n    cb(null);\n}\n\n", "line 4: at the end: a bracket is missing"},
		{"function (a, b, cb) {\n  cb(null);\n}\n}\n", "line 4: expecting ')'"},
		{"function (a, b, cb) {\n  cb(null, 'a\n}", "line 2: "},
		{"function (a, b, cb) {\n  /* never\n}", "line "},
		{`x y z`, "line 1"},
		{`import fs from 'fs'; function fetchUserProfile() {}`, "line 1"},
		{strings.Repeat("(", 1<<16), ""},
	} {
		err := Check(row.source, []string{"fetchUserProfile"})
		var f *Failure
		switch {
		case len(row.source) > 1000: // whatever it is called: it ends
			if !errors.As(err, &f) {
				t.Errorf("deep: %v", err)
			}
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.source, err)
		case row.want != "" && (!errors.As(err, &f) || f.Kind != Syntax || !strings.Contains(f.Message, row.want)):
			t.Errorf("%s: %v, want %s", row.source, err, row.want)
		}
	}
}
