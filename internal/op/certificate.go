package op

import (
	"crypto/sha1" //nolint:gosec // the fingerprint is defined as a SHA-1 thumbprint
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"

	"mangrove/internal/web"
)

// certificateForm is one of the downloads of reference/authentication.md §1.2.
type certificateForm struct {
	contentType, fileName string
	write                 func(der []byte) []byte
}

// certificateForms by path. There is one certificate for everything: ?cert= is ignored.
var certificateForms = map[string]certificateForm{
	"/pem": {"application/x-pem-file", "certificate.pem", func(der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}},
	"/cer": {"application/x-x509-ca-cert", "certificate.cer", func(der []byte) []byte { return der }},
	"/rawpem": {"text/plain; charset=utf-8", "", func(der []byte) []byte {
		return []byte(base64.StdEncoding.EncodeToString(der))
	}},
	"/fingerprint": {"text/plain; charset=utf-8", "", func(der []byte) []byte { return []byte(fingerprint(der)) }},
}

// fingerprint is the SHA-1 as certificates are compared by eye: AB:CD:….
func fingerprint(der []byte) string {
	sum := sha1.Sum(der) //nolint:gosec // see the import
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// certificate is GET of one of the forms: what signs tokens now.
func (e *Endpoints) certificate(form certificateForm) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		der, err := e.d.Keys.Certificate(r.Context())
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", form.contentType)
		if form.fileName != "" {
			w.Header().Set("Content-Disposition", `attachment; filename="`+form.fileName+`"`)
		}
		w.WriteHeader(http.StatusOK)
		_, err = w.Write(form.write(der))
		return err
	}
}
