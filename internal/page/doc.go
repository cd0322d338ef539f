// Package page draws what a person sees: sign-in, second factors, consent,
// errors, and the pages that carry an answer to an application.
//
// Owns: the pages as types (views.go, pages.go), what each of them has (screens.go,
// input.go), their templates, style and scripts (templates/), their texts (texts/,
// texts.go) and in which language they are (language.go), the tenant's looks
// (look.go, colour.go), the security headers of HTML answers (headers.go), every
// page in every state (gallery.go, exhibit.go).
// Does not own: which page comes when (login, op), texts of failures (errs), the
// settings behind looks and texts (tenant).
// May import: errs, tenant, the standard library, x/text/language.
package page
