package foreigndb

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// refuses is a PostgreSQL that refuses everybody; certificate nil: it has no TLS.
func refuses(t *testing.T, certificate *tls.Certificate) Target {
	return speaks(t, func(c net.Conn) {
		b := pgproto3.NewBackend(c, c)
		for {
			m, err := b.ReceiveStartupMessage()
			if err != nil {
				return
			}
			if _, ok := m.(*pgproto3.SSLRequest); !ok {
				break
			}
			if certificate == nil {
				_, _ = c.Write([]byte("N"))
				continue
			}
			_, _ = c.Write([]byte("S"))
			secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*certificate}})
			if secure.Handshake() != nil {
				return
			}
			c = secure
			b = pgproto3.NewBackend(c, c)
		}
		code := "28P01"
		if _, ok := c.(*tls.Conn); ok {
			code = "28000"
		}
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "no"})
		_ = b.Flush()
	})
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	web.Close()
	certificate := web.TLS.Certificates[0]
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	with, without := refuses(t, &certificate), refuses(t, nil)
	for _, row := range []struct {
		server Target
		mode   TLS
		ca     string
		want   string // 28000: said behind TLS; 28P01: in the clear
	}{
		{with, Plain, "", "28P01"}, {with, Encrypt, "", "28000"}, {with, Verify, "", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
		{with, Verify, authority, "28000"}, {with, Verify, "no PEM", "ERR_TLS_CERT"}, {without, Plain, "", "28P01"},
		{without, Prefer, "", "28P01"}, {without, "", "", "28P01"}, {without, Encrypt, "", "EPROTO"}, {without, Verify, authority, "EPROTO"},
	} {
		target := row.server
		target.Engine, target.TLS, target.CA = Postgres, row.mode, row.ca
		_, err := loopback(t).Connect(t.Context(), target)
		var e *Error
		if !errors.As(err, &e) || e.Code != row.want {
			t.Errorf("%s: %v, want %s", row.mode, err, row.want)
		}
	}
}
