package passwd

import (
	_ "embed"
	"strings"
	"sync"
)

// commonText is passwords that many people use, one a line, lower case: the
// usual words, names, keyboard walks, number runs and their common endings, of
// several languages.
//
//go:embed common.txt
var commonText string

// common is the set of commonText, made at first use: most connections have no
// dictionary.
var common = sync.OnceValue(func() map[string]struct{} {
	m := make(map[string]struct{}, strings.Count(commonText, "\n"))
	for line := range strings.Lines(commonText) {
		m[strings.TrimSuffix(line, "\n")] = struct{}{}
	}
	return m
})

// inDictionary compares the whole password, whatever its case, with the common
// ones and those of custom.
func inDictionary(password string, custom []string) bool {
	p := strings.ToLower(password)
	if _, ok := common()[p]; ok {
		return true
	}
	for _, c := range custom {
		if p == strings.ToLower(c) {
			return true
		}
	}
	return false
}
