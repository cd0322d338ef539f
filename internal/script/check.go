package script

import (
	"context"
	"errors"
	"strings"

	"modernc.org/quickjs"
)

// Check reads a source as Run does, and runs nothing of it. It returns a *Failure of
// the kind Syntax, whose Message names the line, when the source cannot be read. Names
// are those of Call.
func Check(source string, names []string) error {
	r := &run{limits: Limits{}.orDefaults(), ctx: context.Background(), mask: newMask(nil)}
	done := make(chan error, 1)
	go func() { done <- r.check(source, names) }() // for its stack, as in Engine.Run
	return <-done
}

func (r *run) check(source string, names []string) (err error) {
	defer r.caught(&err)
	vm, err := quickjs.NewVM()
	if err != nil {
		return err
	}
	defer func() { _ = vm.Close() }() // nothing depends on it any more
	vm.SetMemoryLimit(uintptr(r.limits.Memory))
	_, err = reading(source, names, func(text string) ([]byte, error) { return vm.Compile(text, quickjs.EvalGlobal) })
	return r.judge(err)
}

// reading has read try the source as an expression, which most scripts are, and
// otherwise as a program with one of names in it.
func reading[T any](source string, names []string, read func(text string) (T, error)) (v T, err error) {
	v, err = read("(" + strings.TrimRight(source, "; \t\r\n") + "\n)")
	var first *quickjs.Error
	if err == nil || !errors.As(err, &first) || first.Name != "SyntaxError" {
		return v, err
	}
	defer func() { behind(source, err) }()
	var program strings.Builder
	program.WriteString("(function (module, exports) {" + source + "\n")
	for _, name := range names {
		program.WriteString("if (typeof " + name + " === 'function') return " + name + ";\n")
	}
	program.WriteString("})(module, exports)")
	v, err = read(program.String())
	var second *quickjs.Error
	if errors.As(err, &second) && second.Name == "SyntaxError" && first.LineNumber > second.LineNumber {
		err = first // the reading that got further is the one that was meant
	}
	return v, err
}

// behind says what a mistake means that shows in what reading adds to a source.
func behind(source string, err error) {
	var e *quickjs.Error
	if lines := strings.Count(strings.TrimRight(source, "; \t\r\n"), "\n") + 1; errors.As(err, &e) && e.Name == "SyntaxError" && e.LineNumber > lines {
		e.LineNumber = lines
		e.Message = "at the end: a bracket is missing, or one is too many"
	}
}
