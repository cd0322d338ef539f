package parttest

import (
	"os"
	"testing"
)

// envRequire, when it is 1, makes a missing part a failure.
const envRequire = "MANGROVE_REQUIRE_PARTS"

// Need is what the variable says about a part: a directory, a program, a URL. Where
// it is not set the test is skipped, or fails where parts are required.
func Need(t testing.TB, part, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		Missing(t, part, variable+" is not set; scripts/test sets it")
	}
	return value
}

// Missing ends a test whose part cannot be had here.
func Missing(t testing.TB, part, why string) {
	t.Helper()
	if os.Getenv(envRequire) == "1" {
		t.Fatalf("MISSING PART %s: %s", part, why)
	}
	t.Skipf("MISSING PART %s: %s", part, why)
}
