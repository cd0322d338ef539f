package server_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is the directory of the built program, for those tests that kill it: it is
// built when the first of them asks, and outlives that one.
var program struct {
	dir   string
	build func() (path string, err error)
}

func TestMain(m *testing.M) {
	program.build = sync.OnceValues(func() (string, error) {
		var err error
		if program.dir, err = os.MkdirTemp("", "mangrove-program-"); err != nil {
			return "", err
		}
		path := filepath.Join(program.dir, "mangrove")
		if out, err := exec.Command("go", "build", "-o", path, "mangrove/cmd/mangrove").CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
		return path, nil
	})
	code := m.Run()
	_ = os.RemoveAll(program.dir) // nothing, where nobody asked
	os.Exit(code)
}

// builtProgram is the path of the program.
func builtProgram(t *testing.T) string {
	t.Helper()
	path, err := program.build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
