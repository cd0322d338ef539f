package server

import "net/http"

// picturePath is where the neutral picture of --neutral-picture is.
const picturePath = "/assets/person.svg"

// person is a picture of nobody in particular.
const person = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" role="img" aria-label="person">` +
	`<rect width="96" height="96" fill="#dfe7e3"/><circle cx="48" cy="38" r="18" fill="#5b7a6c"/>` +
	`<path d="M14 92c4-22 17-32 34-32s30 10 34 32z" fill="#5b7a6c"/></svg>`

func picture(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Cache-Control", "public, max-age=86400")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // applications show it
	_, _ = w.Write([]byte(person))                        // the client went away
}
