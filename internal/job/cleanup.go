package job

// deletesPerBatch is how many users one transaction removes: each has rows in
// several tables, and others want to write in between.
const deletesPerBatch = 500

// deleteUsers removes the users of a deleted connection until none is left.
// Running it again, after a crash, removes the rest.
func (t *task) deleteUsers() error {
	for {
		n, err := t.Store.DeleteUsersOf(t.ctx, t.job.ConnectionID, deletesPerBatch)
		if err != nil {
			return err
		}
		if n == 0 {
			return t.finish(Completed, "")
		}
		if err := t.goOn(); err != nil {
			return err
		}
	}
}
