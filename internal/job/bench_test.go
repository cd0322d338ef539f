package job_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/job"
)

// benchFile is n users of half a kilobyte.
func benchFile(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"email":"Person.%d@Example.com","email_verified":true,"given_name":"Ann","family_name":"Lee","name":"Ann Lee %d","nickname":"ann","picture":"https://cdn.example.com/a.png","app_metadata":{"plan":"gold","roles":["admin","editor","viewer"],"limits":{"a":1,"b":2.50}},"user_metadata":{"lang":"en","theme":"dark","address":{"street":"1 Long Road","city":"Sometown","zip":"12345"},"tags":["a","b","c","d"],"newsletter":true}}`, i, i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// nowhere is a store with one file that keeps nothing.
type nowhere struct {
	job.Store
	file []byte
	left bool
	rows int
}

func (n *nowhere) Claim(context.Context, string, int64, int64, ...string) (*job.Job, *job.Lease, error) {
	if !n.left {
		return nil, nil, nil
	}
	n.left = false
	return &job.Job{ID: "job_1", Type: job.UsersImport, ConnectionID: database, Params: json.RawMessage(`{"upsert":true}`), InputBytes: int64(len(n.file))}, &job.Lease{JobID: "job_1"}, nil
}

func (n *nowhere) InputPiece(_ context.Context, _ string, seq int64) ([]byte, error) {
	const size = 1 << 20
	from := int(seq) * size
	return n.file[from:min(from+size, len(n.file))], nil
}

// one is a store with one connection.
type one struct{ connection.Store }

func (one) Connection(context.Context, string) (*connection.Connection, error) {
	return &connection.Connection{ID: database, Name: "people", Strategy: "auth0", Options: json.RawMessage(`{}`), EnabledClients: []string{"app"}}, nil
}

func (n *nowhere) ImportBatch(_ context.Context, _ job.Lease, _ *job.Job, rows []job.Row, failed []job.RowError, _, _ int64) (job.BatchResult, error) {
	n.rows += len(rows)
	return job.BatchResult{Inserted: int64(len(rows)), Failed: int64(len(failed))}, nil
}

func (n *nowhere) Job(context.Context, string) (*job.Job, error) { return &job.Job{}, nil }

func (n *nowhere) Extend(context.Context, job.Lease, int64) error { return nil }

func (n *nowhere) Finish(context.Context, job.Lease, string, string, int64, ...audit.Event) error {
	return nil
}

// perRow reports rows per second and, since others may use the machine, the
// processor's time for one row.
func perRow(b *testing.B, rows int, before time.Duration) {
	n := float64(rows) * float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/n, "cpu-µs/row")
}

// cpu is the processor's time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkImportParse is an import without a database: reading and deciding.
func BenchmarkImportParse(b *testing.B) {
	const rows = 20_000
	n := &nowhere{file: benchFile(rows)}
	r := &job.Runner{Store: n, Connections: one{}}
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		n.left, n.rows = true, 0
		if _, err := r.Work(bg); err != nil || n.rows != rows {
			b.Fatal(n.rows, err)
		}
	}
	perRow(b, rows, before)
}

// BenchmarkImportSQLite is a whole import into an empty database.
func BenchmarkImportSQLite(b *testing.B) {
	const rows = 20_000
	file := string(benchFile(rows))
	before := cpu()
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		j := w.imports(file, 1<<20, nil)
		b.StartTimer()
		if _, err := (&job.Runner{Store: w, Connections: w}).Work(bg); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		w.want(j, job.Completed, "", job.Summary{Inserted: rows, Total: rows})
		b.StartTimer()
	}
	perRow(b, rows, before)
}
