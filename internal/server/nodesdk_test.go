package server_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/parttest"
)

// The official Node.js SDK does what an application does with users. The steps
// are those of test/node-sdk/drive.mjs.

const envNodeSDK = "MANGROVE_TEST_NODE_SDK"

var nodeSteps = []string{
	"users.create", "users.create.conflict", "users.get", "users.update", "users.list.q", "users.list.include_totals", "users.by_email",
	"identities.link", "identities.unlink",
	"roles.create", "roles.assign", "permissions", "roles.unassign",
	"jobs.import", "jobs.errors", "jobs.export", "jobs.verification_email",
	"tickets.email_verification", "tickets.password_change", "user_blocks", "logs", "sessions",
	"users.delete",
}

func TestNodeSDK(t *testing.T) {
	dir := nodeSDK(t)
	onBothEngines(t, func(t *testing.T, w *world) {
		driveNode(t, w, filepath.Join(dir, "drive.mjs"), nodeSteps, nil)
	})
}

// nodeSDK is where the SDK is installed.
func nodeSDK(t *testing.T) string {
	t.Helper()
	return parttest.Need(t, "Node.js SDK", envNodeSDK)
}

// driveNode runs a driver and reports its steps, all of which have to run. wants
// answers what a step asks for; nil: none asks.
func driveNode(t *testing.T, w *world, driver string, steps []string, wants func(what string) string, environment ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", driver)
	cmd.Env = append(append(os.Environ(),
		"DOMAIN="+strings.TrimPrefix(w.url, "https://"), "CLIENT_ID="+managementID, "CLIENT_SECRET="+managementSecret,
		"CONNECTION="+database, "NODE_EXTRA_CA_CERTS="+w.authority), environment...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	type result struct {
		Step   string
		OK     bool
		Detail string
		Wants  string
	}
	got := map[string]result{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
			continue
		}
		if r.Wants == "" {
			got[r.Step] = r
			continue
		}
		if _, err := io.WriteString(in, wants(r.Wants)+"\n"); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the driver: %v", err)
	}
	for _, name := range steps {
		t.Run(name, func(t *testing.T) {
			switch r, ran := got[name]; {
			case !ran:
				t.Error("the step did not run")
			case !r.OK:
				t.Error(r.Detail)
			}
		})
	}
	if len(got) != len(steps) {
		t.Errorf("%d steps ran, %d are asked for", len(got), len(steps))
	}
}
