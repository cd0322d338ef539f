package idptest

import (
	"bufio"
	"io"
	"os/exec"
	"testing"
)

// Environment: the directory test/saml with its packages installed, and the directory
// of SimpleSAMLphp (Debian: /usr/share/simplesamlphp).
const (
	EnvSAML       = "MANGROVE_TEST_SAML"
	EnvSimpleSAML = "MANGROVE_TEST_SIMPLESAMLPHP"
)

// start runs a server that ends when its standard input is closed, and waits for
// the first line of output that ready wants. It returns false when the server
// ended before.
func start(t testing.TB, cmd *exec.Cmd, output func(*exec.Cmd) (io.Reader, error), ready func(line string) bool) bool {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	t.Cleanup(func() {
		_ = in.Close()
		<-drained
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	found := false
	for !found && lines.Scan() {
		found = ready(lines.Text())
	}
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, out)
	}()
	return found
}
