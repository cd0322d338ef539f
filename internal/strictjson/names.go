package strictjson

import (
	"bytes"
	"hash/maphash"
)

// nameSet finds duplicate member names of all objects of one text. It is one
// open hash table for the whole text, keyed by object and name, since a map for
// each object would cost more than reading it. The hash is seeded, so nobody
// can choose names that collide.
type nameSet struct {
	slots []nameSlot // length is a power of two, at least twice used
	used  int
	last  uint64 // the newest object; grows over all texts, so old slots never match
	first uint64 // the first object of this text
}

type nameSlot struct {
	object     uint64 // 0: never used
	hash       uint64
	start, end int // of the quoted name in the output
}

// keptSlots is how large a table a pooled scanner may hold on to.
const keptSlots = 4096

var seed = maphash.MakeSeed()

// reset forgets the last text. Its slots stay as they are: their objects are
// older than first, which makes them free.
func (n *nameSet) reset() {
	if n.slots == nil || len(n.slots) > keptSlots {
		n.slots = make([]nameSlot, 128)
	}
	n.used = 0
	n.first = n.last + 1
}

// object begins one object and returns its number.
func (n *nameSet) object() uint64 {
	n.last++
	return n.last
}

// add notes the quoted name out[start:end] and reports whether it is new in the object.
func (n *nameSet) add(object uint64, out []byte, start, end int) bool {
	if 2*n.used >= len(n.slots) {
		n.grow()
	}
	name := out[start:end]
	hash := maphash.Bytes(seed, name) + object*0x9E3779B97F4A7C15
	mask := uint64(len(n.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &n.slots[i]
		if s.object < n.first {
			*s = nameSlot{object, hash, start, end}
			n.used++
			return true
		}
		if s.hash == hash && s.object == object && bytes.Equal(out[s.start:s.end], name) {
			return false
		}
	}
}

func (n *nameSet) grow() {
	old := n.slots
	n.slots = make([]nameSlot, 2*len(old))
	mask := uint64(len(n.slots) - 1)
	for _, s := range old {
		if s.object < n.first {
			continue
		}
		i := s.hash & mask
		for n.slots[i].object != 0 {
			i = (i + 1) & mask
		}
		n.slots[i] = s
	}
}
