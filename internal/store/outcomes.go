package store

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"mangrove/internal/job"
)

const (
	insertOutcomes = `INSERT INTO job_outcomes (job_id, n, lines) VALUES (?, ?, ?)`
	selectOutcomes = `SELECT n, lines FROM job_outcomes WHERE job_id = ? AND n > ? ORDER BY n LIMIT 1`
	dropOutcomes   = `DELETE FROM job_outcomes WHERE job_id = ? AND n IN (SELECT o.n FROM job_outcomes o WHERE o.job_id = ? ORDER BY o.n LIMIT ?)`
)

// deflaters are kept: each has half a megabyte of tables.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	return w
}}

func outcomesID(jobID string, n int64) string { return jobID + "/" + strconv.FormatInt(n, 10) }

// saveOutcomes keeps the lines of one batch, whose first row is the n-th of the
// file, in the order of the file.
func (s *Store) saveOutcomes(t tx, jobID string, n int64, list []job.Outcome) error {
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b job.Outcome) int { return cmp.Compare(a.Row, b.Row) })
	var packed bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&packed)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range list {
		if err := e.Encode(&list[i]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return t.send(nil, insertOutcomes, jobID, n, s.seal(packed.Bytes(), "job_outcomes", outcomesID(jobID, n)))
}

// Outcomes reads the lines of the next batch.
func (s *Store) Outcomes(ctx context.Context, jobID string, after int64) (lines []byte, begin int64, err error) {
	err = s.read(ctx, func(r reader) error {
		var sealed []byte
		found, err := one(r, selectOutcomes, args(jobID, after), &begin, &sealed)
		if err != nil || !found {
			return err
		}
		packed, err := s.open(sealed, "job_outcomes", outcomesID(jobID, begin))
		if err != nil {
			return fmt.Errorf("outcomes of job %s: %w", jobID, err)
		}
		lines, err = io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
		return err
	})
	return lines, begin, err
}

// dropReports removes what a job leaves beside its errors.
func (s *Store) dropReports(ctx context.Context, jobID string) error {
	if err := s.deleteAll(ctx, dropOutcomes, jobID, jobID, int64(sweepLimit)); err != nil {
		return err
	}
	return s.deleteAll(ctx, dropSeen, jobID, jobID, int64(sweepLimit))
}
