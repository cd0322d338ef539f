package user

import (
	"context"
	"testing"
)

// Comparisons outlive the sign-in that began them, and not the server; those beyond the
// bound are left out.
func TestShadowFinishes(t *testing.T) {
	s := NewShadow(1)
	asks, leave := context.WithCancel(t.Context())
	began, ended := make(chan struct{}), make(chan struct{})
	s.begin(asks, func(ctx context.Context) {
		leave()
		if ctx.Err() != nil {
			t.Error("the comparison ended with the sign-in")
		}
		close(began)
		<-ctx.Done()
		close(ended)
	})
	<-began
	s.begin(t.Context(), func(context.Context) { t.Error("one more than there is room for") })
	limit, cut := context.WithCancel(t.Context())
	cut()
	s.Finish(limit)
	<-ended
	(*Shadow)(nil).begin(t.Context(), func(context.Context) { t.Error("without shadows nothing is compared") })
}
