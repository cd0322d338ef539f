package store_test

import (
	"testing"

	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			storetest.Run(t, func(t testing.TB) *store.Store { return storetest.Open(t, engine) })
		})
	}
}
