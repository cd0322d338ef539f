package server_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
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
	dir := os.Getenv(envNodeSDK)
	switch {
	case dir != "":
	case os.Getenv(storetest.EnvRequire) == "1":
		t.Fatalf("MISSING PART Node.js SDK: set %s to test/node-sdk with its packages installed", envNodeSDK)
	default:
		t.Skipf("MISSING PART Node.js SDK: %s is not set, so the official SDK for Node.js is not tested", envNodeSDK)
	}
	onBothEngines(t, func(t *testing.T, w *world) {
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "drive.mjs"))
		cmd.Env = append(os.Environ(),
			"DOMAIN="+strings.TrimPrefix(w.url, "https://"), "CLIENT_ID="+managementID, "CLIENT_SECRET="+managementSecret,
			"CONNECTION="+database, "NODE_EXTRA_CA_CERTS="+w.authority)
		cmd.Stderr = os.Stderr
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
		}
		got := map[string]result{}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r result
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Errorf("%s: %v", lines.Text(), err)
				continue
			}
			got[r.Step] = r
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the driver: %v", err)
		}
		for _, name := range nodeSteps {
			t.Run(name, func(t *testing.T) {
				switch r, ran := got[name]; {
				case !ran:
					t.Error("the step did not run")
				case !r.OK:
					t.Error(r.Detail)
				}
			})
		}
		if len(got) != len(nodeSteps) {
			t.Errorf("%d steps ran, %d are asked for", len(got), len(nodeSteps))
		}
	})
}
