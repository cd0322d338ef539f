package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"unicode"
)

// typed reads secrets: on a terminal each is asked for and not shown; from anything
// else a line each.
type typed struct {
	in   *bufio.Reader
	ask  io.Writer
	hide func(context.Context) (show func(), err error) // nil: nobody would see
	used bool
}

func newTyped(in *os.File, ask io.Writer) *typed {
	t := &typed{in: bufio.NewReader(in), ask: ask}
	if isTerminal(in) {
		t.hide = func(ctx context.Context) (func(), error) { return withoutEcho(ctx, in) }
	}
	return t
}

// withoutEcho has a terminal not show what is typed. The program stty knows how on every
// Unix; where there is none, nothing is asked.
func withoutEcho(ctx context.Context, terminal *os.File) (show func(), err error) {
	stty := func(ctx context.Context, how string) error {
		c := exec.CommandContext(ctx, "stty", how)
		c.Stdin = terminal
		return c.Run()
	}
	if err := stty(ctx, "-echo"); err != nil {
		return nil, errors.New("this terminal cannot hide what is typed: give the secret on the standard input, a line each")
	}
	return func() { _ = stty(context.WithoutCancel(ctx), "echo") }, nil // there is nothing else to try
}

// line is the next secret. Ctrl-C ends the waiting, with the terminal as it was.
func (t *typed) line(ctx context.Context, name string) (string, error) {
	t.used = true
	if t.hide != nil {
		show, err := t.hide(ctx)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(t.ask, "%s: ", name)
		defer func() {
			show()
			fmt.Fprintln(t.ask)
		}()
	}
	type read struct {
		text string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		s, err := t.in.ReadString('\n')
		got <- read{s, err}
	}()
	select {
	case r := <-got:
		if errors.Is(r.err, io.EOF) && r.text == "" {
			return "", errors.New("the standard input has no line for it")
		}
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return "", r.err
		}
		return strings.TrimRight(r.text, "\r\n"), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// printable is a text of somebody else's as a terminal may get it: what would move its
// cursor or change its colours is spelled out.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\t' || unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}
