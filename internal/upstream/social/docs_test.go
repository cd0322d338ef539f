package social

import (
	"os"
	"strings"
	"testing"
)

// docs/social.md shows every strategy.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../../../docs/social.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "| strategy |")
	for _, name := range Strategies() {
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("the table does not show %s", name)
		}
	}
}
