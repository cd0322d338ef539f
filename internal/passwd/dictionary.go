package passwd

import (
	"strings"
	"sync"

	"github.com/trustelem/zxcvbn/frequency"
)

// How many of the most frequent passwords are refused. The wider list is all
// that there is of it: about 30,000, not the 100,000 of its name.
const (
	usualWords = 10_000
	manyWords  = 100_000
)

// common is the rank of each frequent password, lower case, from 0. It is made
// at first use: most connections have no dictionary.
var common = sync.OnceValue(func() map[string]int {
	list := frequency.FrequencyLists["passwords"]
	m := make(map[string]int, len(list))
	for i, word := range list {
		if _, before := m[word]; !before {
			m[word] = i
		}
	}
	return m
})

// inDictionary compares the whole password, whatever its case, with the limit
// most frequent ones and those of custom.
func inDictionary(password string, limit int, custom []string) bool {
	p := strings.ToLower(password)
	if rank, ok := common()[p]; ok && rank < limit {
		return true
	}
	for _, c := range custom {
		if p == strings.ToLower(Normalize(c)) {
			return true
		}
	}
	return false
}
