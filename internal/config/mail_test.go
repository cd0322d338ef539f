package config

import (
	"strings"
	"testing"

	"mangrove/internal/mail"
)

func TestMail(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  map[string]string
		file string
		want mail.Server
		from string
		err  string
	}{
		{"none", nil, "", mail.Server{}, "", ""},
		{
			"a server", map[string]string{"MANGROVE_MAIL": "smtp://u:secretsecret@mail.example:2525", "MANGROVE_MAIL_FROM": "Mangrove <id@example.com>"}, "",
			mail.Server{Host: "mail.example", Port: 2525, User: "u", Password: "secretsecret"}, `"Mangrove" <id@example.com>`, "",
		},
		{"files", nil, "mail: directory\nmail-from: id@example.com\nmail-operator: ops@example.com", mail.Server{Directory: true}, "<id@example.com>", ""},
		{"prints", nil, "public-url: http://localhost:3000\nmail: log\nmail-from: id@example.com", mail.Server{Log: true}, "<id@example.com>", ""},
		{"prints what others sent for", nil, "public-url: https://id.example.com\nmail: log\nmail-from: id@example.com", mail.Server{}, "", "--mail: log prints links and codes"},
		{"files of nobody", nil, "mail: directory", mail.Server{Directory: true}, "", ""},
		{"no sender", nil, "mail: smtp://mail.example", mail.Server{}, "", "--mail-from: is needed with a mail server"},
		{"a sender of nothing", nil, "mail-from: id@example.com", mail.Server{}, "", "--mail: is needed with"},
		{"a bad sender", nil, "mail: directory\nmail-from: nobody", mail.Server{}, "", "--mail-from: is no address"},
		{"a bad URL", map[string]string{"MANGROVE_MAIL": "smtp://u:secretsecret@mail example"}, "", mail.Server{}, "", "--mail: is neither directory, nor log, nor a URL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse(t, nil, tc.env, tc.file)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "secretsecret") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || c.Mail != tc.want || tc.from != "" && c.MailFrom.String() != tc.from {
				t.Errorf("%+v, %v, %v", c.Mail, c.MailFrom, err)
			}
		})
	}
}
