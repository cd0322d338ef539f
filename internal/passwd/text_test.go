package passwd

import (
	"errors"
	"strings"
	"testing"
)

// The vectors: those of the password "hashcat" are hashcat's example hashes, those of
// "my password" are from the tests of ASP.NET Core Identity; the others were made with
// Werkzeug 3.1, PHP 8.2, OpenSSL 3, crypt(3) of glibc and hashlib of Python.
var texts = []struct{ name, text, password string }{
	{"bcrypt of PHP", "$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS", word},
	{"bcrypt of Spring", "{bcrypt}$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS", word},
	{"bcrypt of Django", "bcrypt$$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS", word},
	{"padded by its column", "$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS    ", word},
	{"bcrypt_sha256 of Django", "bcrypt_sha256$$2b$05$abcdefghijklmnopqrstuuO2ftAWMOBOg/CKOmkuyScpqlslgMjhi", word},
	{"argon2 of PHP", "$argon2id$v=19$m=256,t=1,p=1$dGNJUHNsby9rbXhOQkVMbg$Z5T7eGhFzkIlKNFohWViGt5ERPIbX7I/TknOdDT8Xek", word},
	{"argon2 of Django", "argon2$argon2id$v=19$m=256,t=1,p=1$dGNJUHNsby9rbXhOQkVMbg$Z5T7eGhFzkIlKNFohWViGt5ERPIbX7I/TknOdDT8Xek", word},
	{"argon2 of Spring", "{argon2@SpringSecurity_v5_8}$argon2id$v=19$m=256,t=1,p=1$dGNJUHNsby9rbXhOQkVMbg$Z5T7eGhFzkIlKNFohWViGt5ERPIbX7I/TknOdDT8Xek", word},
	{"pbkdf2, PHC", "$pbkdf2-sha256$i=1000,l=32$c2FsdAH/$/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg", word},
	{"pbkdf2 of Passlib, SHA-1", "$pbkdf2$1000$yMnKy8zNzs/Q0dLT1NXW1w$e2zkM.SFAKbN.yGpcVDC57wyjic", word},
	{"pbkdf2 of Passlib, SHA-256", "$pbkdf2-sha256$1000$yMnKy8zNzs/Q0dLT1NXW1w$/LxI.UdU20IGGgsilNcUs.cWfLg433RxpxCa59Z8DXY", word},
	{"pbkdf2 of Passlib, SHA-512", "$pbkdf2-sha512$25000$LyWE0HrP2RsjZCxlDGFMKQ$1vC5Ohk2mCS9b6akqsEfgeb4l74SF8XjH.SljXf3dMLHdlY1GK9ojcCKts6/asR4aPqBmk74nCDddU3tvSCJvw", "hashcat"},
	{"pbkdf2 of OpenLDAP", "{PBKDF2-SHA256}1000$yMnKy8zNzs/Q0dLT1NXW1w$/LxI.UdU20IGGgsilNcUs.cWfLg433RxpxCa59Z8DXY", word},
	{"pbkdf2 of Django", "pbkdf2_sha256$20000$H0dPx8NeajVu$GiC4k5kqbbR9qWBlsRgDywNqC2vd9kqfk7zdorEnNas=", "hashcat"},
	{"pbkdf2 of Werkzeug", "pbkdf2:sha256:1000$BJ9tuyVAUsRdRHWU$94d6d02bb284bd9520bb52e0cf7b8b6e2a18fe7b5c988e0b2b996a937d8920e3", word},
	{"pbkdf2 of Werkzeug, SHA-512", "pbkdf2:sha512:10$TM1ir3JVaJiW34nC$965fd7771e9620ceae433b698096c024216563e59d2c108af4fc560b532041f4202c427b983ce141ceb62b788e08d74536d97b7934ffb1aebe18b36aff88ebef", word},
	{"scrypt of Werkzeug", "scrypt:1024:8:1$TFejbfDpoO6Uv3Ww$821d0a7ac145b2d4d2c3448f7eac20c8b20a15ffdd5ca6aec7fdb05d26d46566997b82bba7c6465ec4e588d85b401adbc1c02f614cde7025a9f7e592c4ae9386", word},
	{"scrypt of Werkzeug, its default", "scrypt:32768:8:1$S1eotuF6PQ4z9Pvk$268341b0801720f4aa85b291bed141d22555a5ff20d82de3442930becbe4c42374fb99cdc3ebcab384d7063979d4bed2bec92279ba01b0bb8df65aebdad64a9f", word},
	{"scrypt of Django", "scrypt$1024$somesalt$8$5$rGkFkM+wRdzCN6T3aOcyhvJISGfZEkbLIyklxgo4rP4puINZ64QRBnVUWABpUQDp/EbKVW5cZEGo6XsLGArJWw==", word},
	{"scrypt of Passlib", "$scrypt$ln=10,r=8,p=2$yMnKy8zNzs/Q0dLT1NXW1w$78+oMWbEGVZxLvH9/acmQytAh5pe4bNn29Zn/RhoFnI", word},
	{"sha1 of Django", "sha1$fe76b$02d5916550edf7fc8c886f044887f4b1abf9b013", "hashcat"},
	{"md5 of Django", "md5$abcde$0e993286905cbf3b59da9cc6cf987418", word},
	{"md5 of Django, no salt", "md5$$e38b0173a3a143a21265eb16497fc9d1", word},
	{"sha256 of Werkzeug", "sha256$saltsalt$0e5f24cb2ff1db766cdbc573d00c7a3c86ff7441ee2d66b7280eedeafdfb0cb3", word},
	{"ASP.NET Identity 2", "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg==", "my password"},
	{"ASP.NET Identity 3, SHA-1", "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M", "my password"},
	{"ASP.NET Identity 3, SHA-256", "AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==", "my password"},
	{"ASP.NET Identity 3, SHA-512", "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw", "my password"},
	{"ASP.NET Identity 3, long", "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==", "my password"},
	{"LDAP", "{SSHA}awggp3Mj9B93GDHPllaxcOEMEHlzYWx0Af8=", word},
	{"LDAP, crypt", "{CRYPT}$5$saltstring$8j8IwgJIwPyIZJdtEr8rehbQ7t5uSdLcXj/v22o3wW9", word},
	{"md5crypt", "$1$salt1234$zZ0LhmfLl6FumFVkH6th.0", word},
	{"md5crypt of 70 bytes", "$1$ab$aIv6ziWB3cuCIAyDM6DaY1", strings.Repeat("y", 70)},
	{"md5crypt, hashcat", "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", "hashcat"},
	{"apr1", "$apr1$saltsalt$VBDG4eE0675N6rYaEu.dp/", word},
	{"sha256crypt", "$5$saltstring$8j8IwgJIwPyIZJdtEr8rehbQ7t5uSdLcXj/v22o3wW9", word},
	{"sha256crypt, hashcat", "$5$rounds=5000$GX7BopJZJxPc/KEK$le16UF8I2Anb.rOrn22AUPWvzUETDGefUmAV8AZkGcD", "hashcat"},
	{"sha256crypt of nothing", "$5$rounds=1000$abc$sP9FmVrTEqPcRDE7OxGDY0efugGF1dtCtqYcUsX9wmD", ""},
	{"sha512crypt", "$6$rounds=1234$anothersalt$14nXhbl12FW5B4/JRE/7qFmWDFDecIiWcmXsYhcOlKy5mb3lTdWeDM3zFVVcBHQ.3l8hJ3eyiXQJX0WUkK6/I/", word},
	{"sha512crypt, short salt", "$6$s$rhwxxi65SNgCSaUKY93ciTPLYQxVQ6H/F7NIF6aiNRUtH7xe3YtqFiMBBXF1wzL9UKv24OnkI/7KVmmkw2AjB/", word},
	{"sha512crypt of 100 bytes", "$6$rounds=1000$sixteencharsalt$71xirQt4QHUy6sV80v3MGpd33fLoUcJ9uJB6bzwmD2hlCeBVUIeB5YXYZ5Pn7dL7O.em0dZIn0rwnvQubz5od.", strings.Repeat("x", 100)},
	{"phpass", "$P$984478476IagS59wHZvyQMArzfx58u.", "hashcat"},
	{"phpass of phpBB", "$H$984478476IagS59wHZvyQMArzfx58u.", "hashcat"},
	{"Drupal 7", "$S$C33783772bRXEx1aCsvY.dqgaaSu76XmVlKrW9Qu8IQlvxHlmzLf", "hashcat"},
	{"WordPress 6.8", "$wp$2y$05$6ukBST60gQTZJcVWjrbbgOnHpGjxT8PG53GRAuLuj5I3SukKRrqnS", word},
	{"WordPress 6.8 trims", "$wp$2y$05$6ukBST60gQTZJcVWjrbbgOnHpGjxT8PG53GRAuLuj5I3SukKRrqnS", " " + word + "\n"},
	{"custom_password_hash", `{"algorithm":"md5","hash":{"value":"AEA6D98BD4B3B95B5D9D6EF1224309FF","encoding":"hex"},"salt":{"value":"NaCl","position":"prefix","encoding":"utf8"}}`, word},
	{"md5", "E38B0173A3A143A21265EB16497FC9D1", word},
	{"sha1", "bc3391cef45ae9de23ae482e1d777e35b40f150c", word},
	{"sha256", "7f39964ff9c60f9c8e1a09b8874239ab534b6c6cf19536ed58d12288c70bd4ae", word},
	{"sha512", "edd03e723e86b279058cae845d4285e78e17985fe8bb9c921a5b075553d51850e2616e468cf4c115a7567c96662cdbd786b14332724de29f05fde9b275a0b462", word},
}

func TestParseText(t *testing.T) {
	for _, c := range texts {
		t.Run(c.name, func(t *testing.T) {
			stored, err := ParseText(c.text)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if ok, _ := Verify(stored, c.password); !ok {
				t.Errorf("the right password does not match %s", stored)
			}
			for _, wrong := range []string{c.password + "x", "x" + c.password} {
				if ok, _ := Verify(stored, wrong); ok {
					t.Errorf("%q passed", wrong)
				}
			}
			if again, err := ParseText(stored); err != nil || again != stored {
				t.Errorf("the stored form reads back as %s, %v", again, err)
			}
		})
	}
}

func TestParseTextRefuses(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"plain text", "secret"},
		{"plain text of Spring", "{noop}secret"},
		{"yescrypt", "$y$j9T$salt$hash"},
		{"DES", "rl.3StKT.4T8M"},
		{"bcrypt, cut off", "$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RF"},
		{"bcrypt, too dear", "$2y$31$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS"},
		{"sha-crypt, too dear", "$6$rounds=999999999$s$rhwxxi65SNgCSaUKY93ciTPLYQxVQ6H/F7NIF6aiNRUtH7xe3YtqFiMBBXF1wzL9UKv24OnkI/7KVmmkw2AjB/"},
		{"phpass, too dear", "$P$S84478476IagS59wHZvyQMArzfx58u."},
		{"Drupal, too dear", "$S$S33783772bRXEx1aCsvY.dqgaaSu76XmVlKrW9Qu8IQlvxHlmzLf"},
		{"pbkdf2, too dear", "pbkdf2_sha256$999999999$H0dPx8NeajVu$GiC4k5kqbbR9qWBlsRgDywNqC2vd9kqfk7zdorEnNas="},
		{"scrypt, too dear", "scrypt:1073741824:8:1$TFejbfDpoO6Uv3Ww$821d0a7ac145b2d4d2c3448f7eac20c8"},
		{"ASP.NET, too short", "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggE="},
		{"ASP.NET, too short a hash", "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A="},
		{"ASP.NET, more behind it", "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJgAAAAAAAAAAAAA="},
		{"ASP.NET, another digest", "AQAAAAMAACcQAAAAEB98ik4rMnThQzVdtfVfStpq0EpSA4tnEhciZTU8kznWADk4TOPsjRjqrA7PGIfxlQ=="},
		{"ASP.NET, another version", "BQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHwAAAAAAAAAAAA"},
		{"ASP.NET, a salt beyond the end", "AQAAAAIAAAAy////8OMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw"},
		{"Werkzeug without rounds", "pbkdf2:sha256$salt$94d6d02bb284bd9520bb52e0cf7b8b6e2a18fe7b5c988e0b2b996a937d8920e3"},
		{"hex of another length", "e38b0173a3a143a21265eb16497fc9"},
		{"brace", "{"},
		{"dollars", "$$$$"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stored, err := ParseText(c.text)
			var refused *Refused
			if !errors.As(err, &refused) || stored != "" {
				t.Fatalf("%q, %v", stored, err)
			}
			if strings.Contains(refused.Text, c.text) {
				t.Errorf("the refusal repeats the hash: %s", refused.Text)
			}
		})
	}
	for _, none := range []string{"", " ", "!", "*", "!AbCdEfGhIj", "*0", "!!"} {
		if stored, err := ParseText(none); stored != "" || !errors.Is(err, ErrNoPassword) {
			t.Errorf("%q: %q, %v", none, stored, err)
		}
	}
}

// What ParseText takes is a stored form: it reads back as itself, and can be exported
// and imported again.
func FuzzParseText(f *testing.F) {
	for _, c := range texts {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stored, err := ParseText(text)
		if err != nil {
			if stored != "" {
				t.Errorf("%q beside %v", stored, err)
			}
			return
		}
		if again, err := ParseText(stored); err != nil || again != stored {
			t.Errorf("%q reads back as %q, %v", stored, again, err)
		}
		var back string
		if member, value := Export(stored); member == "password_hash" {
			back, err = ParseBcrypt(strings.Trim(string(value), `"`))
		} else {
			back, err = ParseCustom(value)
		}
		if err != nil || back != stored {
			t.Errorf("%q comes out of an export as %q, %v", stored, back, err)
		}
	})
}
