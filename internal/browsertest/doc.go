// Package browsertest lets a test drive a real browser: Chromium, by the program
// in test/browser.
//
// Owns: starting and ending it, its commands as methods, what happens where no
// browser is to be had.
// Does not own: what is tested with it (page, server).
// May import: parttest.
package browsertest
