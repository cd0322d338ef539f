// Package liquid is the template language of mails and text messages
// (reference/authentication.md §8.1): LiquidJS's dialect of Liquid, in memory,
// with bounds.
//
// Owns: the syntax (lex.go, expression.go, operand.go, parse.go), what tags, values
// and filters do (render.go, tags.go, value.go, compare.go, member.go, filters.go,
// textfilters.go, listfilters.go, date.go), where a template is wrong (error.go).
// Does not own: which variables there are, what is done with the text (mail, sms).
// May import: the standard library.
//
// A value is never read as a template, there is no way to a file, an environment
// or a network, and rendering ends within its Limits.
package liquid
