// Package liquid is the template language of mails and text messages
// (reference/authentication.md §8.1): LiquidJS's dialect of Liquid, in memory,
// with bounds.
//
// Owns: the syntax (lex.go, expression.go, parse.go), what a template says
// (render.go, value.go, filters.go, date.go), where one is wrong (error.go).
// Does not own: which variables there are, what is done with the text (mail, sms).
// May import: the standard library.
//
// A value is never read as a template, there is no way to a file, an environment
// or a network, and rendering ends within its Limits.
package liquid
