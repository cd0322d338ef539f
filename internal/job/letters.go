package job

import (
	"context"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
)

// letterLanes is how many letters are under way at the same time: somebody waits
// for a code while a server is slow with another one.
const letterLanes = 2

// letterLease outlives mailTime, so that nobody takes a letter that is being sent.
const letterLease = mailTime + 10*time.Second

// late is why a letter whose link or code has ended is not sent.
const late = "The message could not be sent in time."

// WorkLetter sends one letter that is due, and reports whether there was one. Run
// calls it all the time. A crash between the mail server's yes and ours sends the
// letter once more.
func (r *Runner) WorkLetter(ctx context.Context) (found bool, err error) {
	r.init()
	return r.workLetter(context.WithoutCancel(ctx))
}

func (r *Runner) workLetter(ctx context.Context) (bool, error) {
	if r.Outbox == nil {
		return false, nil
	}
	now := r.Now()
	q, err := r.Outbox.ClaimLetter(ctx, now.UnixMicro(), now.Add(letterLease).UnixMicro())
	if err != nil || q == nil {
		return false, err
	}
	err = r.sendLetter(ctx, q)
	if errors.Is(err, letter.ErrTaken) {
		err = nil
	}
	return true, err
}

func (r *Runner) sendLetter(ctx context.Context, q *letter.Queued) error {
	end := q.CreatedAt + longWait.Microseconds()
	if q.ExpiresAt != 0 {
		end = q.ExpiresAt
	}
	if r.Now().UnixMicro() >= end {
		return r.Outbox.FinishLetter(ctx, q, r.letterEvent(q, late))
	}
	if r.Mail == nil {
		return r.Outbox.FinishLetter(ctx, q, r.letterEvent(q, letter.ErrNoServer.Text))
	}
	limited, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	err := r.Mail.SendLetter(limited, q.Letter)
	waited := r.Now().Sub(time.UnixMicro(q.CreatedAt))
	switch kind := errs.KindOf(err); {
	case err == nil, errors.Is(err, letter.ErrDisabled):
		return r.Outbox.FinishLetter(ctx, q)
	case errors.Is(err, letter.ErrNoServer):
		return r.Outbox.FinishLetter(ctx, q, r.letterEvent(q, letter.ErrNoServer.Text))
	case kind == errs.Unavailable, kind == errs.Internal:
		// What is wrong with ourselves may pass as well, and the end comes anyway.
		r.Log.Warn("a letter has to wait", "letter", q.ID, "template", q.Template, "error", err)
		return r.Outbox.PostponeLetter(ctx, q, r.Now().Add(max(firstPause, waited)).UnixMicro())
	}
	r.Log.Warn("a letter was refused", "letter", q.ID, "template", q.Template, "error", err)
	return r.Outbox.FinishLetter(ctx, q, r.letterEvent(q, "The message was refused: "+errs.From(err).Text))
}

// letterEvent records that somebody did not get a letter.
func (r *Runner) letterEvent(q *letter.Queued, why string) audit.Event {
	return audit.Event{
		Type: audit.LetterFailed, At: r.Now().UnixMicro(), Description: q.Template + ": " + why,
		ClientID: q.ClientID, UserID: q.UserID, ConnectionID: q.ConnectionID,
	}
}
