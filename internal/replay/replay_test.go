package replay_test

import (
	"testing"

	"mangrove/internal/replay"
	"mangrove/internal/token"
)

func TestKey(t *testing.T) {
	keys := map[string]string{}
	for name, k := range map[string]string{
		"a message":                 replay.Key("con_1", "_a"),
		"another message":           replay.Key("con_1", "_b"),
		"of another connection":     replay.Key("con_2", "_a"),
		"the boundary is elsewhere": replay.Key("con_1_", "a"),
		"a client assertion":        token.HashOf("con_1 _a"),
	} {
		if before, ok := keys[k]; ok {
			t.Errorf("%s has the key of %s", name, before)
		}
		keys[k] = name
	}
}
