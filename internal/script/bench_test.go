package script

import (
	"crypto/rand"
	"runtime"
	"syscall"
	"testing"

	"modernc.org/quickjs"

	"mangrove/internal/outbound"
)

// cpu reports what an operation costs, whoever else uses the machine.
func cpu(b *testing.B) {
	b.Helper()
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	b.Cleanup(func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") })
}

// BenchmarkMachine makes a machine and frees it.
func BenchmarkMachine(b *testing.B) {
	b.ReportAllocs()
	cpu(b)
	for range b.N {
		m, err := newMachine()
		if err != nil {
			b.Fatal(err)
		}
		m.close()
	}
}

const trivialLogin = `function login(identifier, password, callback) {
	return callback(null, {user_id: 'legacy|42', email: 'k@shop.example', email_verified: true, name: 'Kai Aho', user_metadata: {lang: 'fi'}});
}`

// BenchmarkTrivialLogin is a login script that answers a constant profile: one after
// the other, and from as many goroutines as there are cores.
func BenchmarkTrivialLogin(b *testing.B) {
	c := Call{Source: trivialLogin, Names: []string{"login"}, Args: []any{"k@shop.example", "pa55word"}, Globals: map[string]any{"configuration": map[string]any{"A": "b"}}, Secrets: []string{"pa55word"}}
	b.Run("one", func(b *testing.B) {
		e := New(outbound.New(nil), rand.Reader, 0)
		b.ReportAllocs()
		cpu(b)
		for range b.N {
			if _, err := e.Run(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		e := New(outbound.New(nil), rand.Reader, 0)
		b.ReportAllocs()
		cpu(b)
		b.SetParallelism(8 / runtime.GOMAXPROCS(0))
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := e.Run(b.Context(), c); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkEngine is what of a machine is the engine's own.
func BenchmarkEngine(b *testing.B) {
	b.ReportAllocs()
	cpu(b)
	for range b.N {
		vm, err := quickjs.NewVM()
		if err != nil {
			b.Fatal(err)
		}
		if err := vm.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
