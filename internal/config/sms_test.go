package config

import (
	"strings"
	"testing"
)

func TestSMS(t *testing.T) {
	for _, tc := range []struct {
		name    string
		file    string
		files   bool
		perHour int64
		err     string
	}{
		{"nothing", "", false, 1000, ""},
		{"files", "sms: directory\nsms-per-hour: 20", true, 20, ""},
		{"off", "sms: none", false, 1000, ""},
		{"somewhere else", "sms: twilio", false, 0, `--sms: "twilio" is none of none, directory`},
		{"no messages", "sms-per-hour: 0", false, 0, "--sms-per-hour: must be at least 1"},
		{"no number", "sms-per-hour: many", false, 0, "--sms-per-hour: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse(t, nil, nil, tc.file)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || c.SMSDirectory != tc.files || c.SMSPerHour != tc.perHour {
				t.Errorf("%v %d, %v", c.SMSDirectory, c.SMSPerHour, err)
			}
		})
	}
}
