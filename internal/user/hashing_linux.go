package user

import "syscall"

// niceness of a thread that hashes: requests come first, and yet a thread that is
// asked to stop for the garbage collector soon gets a turn to hear it.
const niceness = 5

func yieldToOthers() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness) // the same work at the same priority otherwise
}
