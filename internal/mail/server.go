package mail

import (
	"errors"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

// Server is where mails go. The zero Server is none.
type Server struct {
	// Directory, when not empty, gets each mail as a file, and nothing is sent.
	Directory bool
	// Log prints each mail to the standard output, and nothing is sent.
	Log  bool
	Host string
	Port int
	TLS  TLS
	// User and Password are both there or both empty.
	User, Password string
}

// TLS is how the connection is protected. The zero TLS is the safe one.
type TLS uint8

// The ways.
const (
	StartTLS TLS = iota // begins in the clear and goes no further without TLS
	Implicit            // TLS from the first byte
	None
)

// Configured reports whether there is a server.
func (s Server) Configured() bool { return s.Directory || s.Log || s.Host != "" }

// The mistakes never repeat the setting: it may hold a password.
var (
	errForm    = errors.New("is neither directory, nor log, nor a URL like smtp://user:password@mail.example:587 or smtps://user:password@mail.example:465")
	errPort    = errors.New("has a port that is not between 1 and 65535")
	errOption  = errors.New("knows no other option than ?tls=required and, behind smtp://, ?tls=none")
	errLogin   = errors.New("needs a user and a password, or neither; reserved characters in them are written as %XX")
	errExposed = errors.New("would send the password in the clear: ?tls=none goes with a server on this machine only, or without a password")
)

// Parse reads the setting:
//
//	directory                          files in the data directory, for development
//	log                                the standard output, likewise
//	smtp://[user:password@]host[:587]  STARTTLS, which the server must offer
//	smtp://host[:25]?tls=none          in the clear
//	smtps://[user:password@]host[:465] TLS
func Parse(setting string) (Server, error) {
	switch setting {
	case "":
		return Server{}, nil
	case "directory":
		return Server{Directory: true}, nil
	case "log":
		return Server{Log: true}, nil
	}
	u, err := url.Parse(setting)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Opaque != "" || !isHost(u.Hostname()) ||
		strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return Server{}, errForm
	}
	s := Server{Host: u.Hostname(), Port: 587}
	if u.Scheme == "smtps" {
		s.TLS, s.Port = Implicit, 465
	}
	options, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Server{}, errOption
	}
	for name, values := range options {
		switch {
		case name != "tls" || len(values) != 1:
			return Server{}, errOption
		case values[0] == "required":
		case values[0] == "none" && s.TLS == StartTLS:
			s.TLS, s.Port = None, 25
		default:
			return Server{}, errOption
		}
	}
	if p := u.Port(); p != "" {
		if s.Port, err = strconv.Atoi(p); err != nil || s.Port < 1 || s.Port > 65535 {
			return Server{}, errPort
		}
	}
	if u.User != nil {
		s.User = u.User.Username()
		s.Password, _ = u.User.Password()
		if s.User == "" || s.Password == "" {
			return Server{}, errLogin
		}
		if s.TLS == None && !isLocal(s.Host) {
			return Server{}, errExposed
		}
	}
	return s, nil
}

func isHost(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:", r)
	})
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ParseAddress reads a sender or recipient of the settings: an address, or a
// name and an address in angle brackets.
func ParseAddress(s string) (mail.Address, error) {
	a, err := mail.ParseAddress(s)
	if err != nil {
		return mail.Address{}, errors.New("is no address like mangrove@example.com or Mangrove <mangrove@example.com>")
	}
	return *a, nil
}
