package mgmt

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/factor"
)

func TestEnrolledMethods(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const creates, updates, reads = "create:authentication_methods", "update:authentication_methods", "read:authentication_methods"
		for _, row := range []struct {
			name, method, path, scopes, body string
			status                           int
			has                              []string
		}{
			{"no type", "POST", methods, creates, `{}`, 400, []string{"invalid_body", "Missing required property: type"}},
			{"a type that is none", "POST", methods, creates, `{"type":"duo"}`, 400, []string{"No enum match for: duo"}},
			{"another member", "POST", methods, creates, `{"type":"totp","x":1}`, 400, []string{"Additional properties not allowed: x"}},
			{"no secret", "POST", methods, creates, `{"type":"totp"}`, 400, []string{"Missing required property: totp_secret"}},
			{"a secret that is none", "POST", methods, creates, `{"type":"totp","totp_secret":"abc"}`, 400, []string{"base32"}},
			{"no number", "POST", methods, creates, `{"type":"phone"}`, 400, []string{"phone_number"}},
			{"a number that is none", "POST", methods, creates, `{"type":"phone","phone_number":"0664"}`, 400, []string{"E.164"}},
			{"no address", "POST", methods, creates, `{"type":"email"}`, 400, []string{"email"}},
			{"an address that is none", "POST", methods, creates, `{"type":"email","email":"x"}`, 400, []string{"invalid_body"}},
			{"a key", "POST", methods, creates, `{"type":"passkey","key_id":"x"}`, 400, []string{"by its owner alone"}},
			{"of nobody", "POST", "/users/auth0%7Cnobody/authentication-methods", creates, `{"type":"email","email":"a@b.example"}`, 404, []string{"inexistent_user"}},
			{"without scope", "POST", methods, reads, `{"type":"email","email":"a@b.example"}`, 403, []string{"create:authentication_methods"}},
			{"set no array", "PUT", methods, updates, `{}`, 400, []string{"invalid_body"}},
			{"set a key", "PUT", methods, updates, `[{"type":"passkey"}]`, 400, []string{"No enum match for: passkey"}},
			{"change what is not there", "PATCH", methods + "/totp%7Cdev_x", updates, `{"name":"x"}`, 404, nil},
			{"recovery code of somebody without", "POST", "/users/auth0%7Cann/recovery-code-regeneration", "update:users", "", 404, nil},
			{"an enrollment that is not there", "GET", "/guardian/enrollments/dev_x", "read:guardian_enrollments", "", 404, []string{`{"statusCode":404,"error":"Not Found","message":"Enrollment not found","errorCode":"enrollment_not_found"}`}},
			{"delete an enrollment that is not there", "DELETE", "/guardian/enrollments/dev_x", "delete:guardian_enrollments", "", 404, nil},
			{"a ticket for nobody", "POST", "/guardian/enrollments/ticket", "create:guardian_enrollment_tickets", `{"user_id":"auth0|nobody"}`, 404, []string{"inexistent_user"}},
			{"a ticket without user", "POST", "/guardian/enrollments/ticket", "create:guardian_enrollment_tickets", `{}`, 400, []string{"Missing required property: user_id"}},
			{"a ticket for a phone", "POST", "/guardian/enrollments/ticket", "create:guardian_enrollment_tickets", `{"user_id":"auth0|ann","factor":"phone"}`, 400, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, row.method, row.path, w.machine(t, row.scopes), row.body), row.status, row.has, nil)
			})
		}
		answers(t, w.call(t, "GET", methods, w.machine(t, reads), ""), 200, []string{`[]`}, nil)

		made := w.call(t, "POST", methods, w.machine(t, creates), `{"type":"totp","name":"phone","totp_secret":"GEZDGNBVGY3TQOJQ"}`)
		answers(t, made, 201, []string{`"id":"totp|dev_`, `"type":"totp","name":"phone","totp_secret":"GEZDGNBVGY3TQOJQ","created_at":"`}, nil)
		answers(t, w.call(t, "POST", methods, w.machine(t, creates), `{"type":"totp","name":"phone","totp_secret":"GEZDGNBVGY3TQOJQ"}`), 409, nil, nil)
		answers(t, w.call(t, "POST", methods, w.machine(t, creates), `{"type":"phone","phone_number":"+15551239167","preferred_authentication_method":"voice"}`), 201,
			[]string{`"phone_number":"+15551239167"`, `"preferred_authentication_method":"voice"`}, nil)
		answers(t, w.call(t, "GET", methods, w.machine(t, reads), ""), 200,
			[]string{`"type":"totp","confirmed":true,"name":"phone"`, `"phone_number":"XXXXXXXX9167"`}, []string{"GEZDGNBVGY3TQOJQ", "5551"})
		var one struct{ ID string }
		must(t, json.Unmarshal(made.Body.Bytes(), &one))
		path := methods + "/" + strings.ReplaceAll(one.ID, "|", "%7C")
		answers(t, w.call(t, "PATCH", path, w.machine(t, updates), `{"name":"new"}`), 200, []string{`"name":"new"`}, []string{"GEZDGNBVGY3TQOJQ"})
		answers(t, w.call(t, "PATCH", path, w.machine(t, updates), `{"type":"totp"}`), 400, []string{"invalid_body"}, nil)
		answers(t, w.call(t, "GET", path, w.machine(t, reads), ""), 200, []string{`"name":"new"`}, nil)
		answers(t, w.call(t, "GET", "/users/auth0%7Cann/enrollments", w.machine(t, "read:users"), ""), 200,
			[]string{`"auth_method":"authenticator"`, `"auth_method":"sms"`, `"status":"confirmed"`}, nil)
		_, device, _ := strings.Cut(one.ID, "|")
		answers(t, w.call(t, "GET", "/guardian/enrollments/"+device, w.machine(t, "read:guardian_enrollments"), ""), 200, []string{`"id":"` + device + `"`}, nil)
		answers(t, w.call(t, "DELETE", "/guardian/enrollments/"+device, w.machine(t, "delete:guardian_enrollments"), ""), 204, nil, nil)
		answers(t, w.call(t, "GET", path, w.machine(t, reads), ""), 404, nil, nil)
		answers(t, w.call(t, "POST", "/guardian/enrollments/ticket", w.machine(t, "create:guardian_enrollment_tickets"), `{"user_id":"auth0|ann"}`), 409, nil, nil)

		set := w.call(t, "PUT", methods, w.machine(t, updates), `[{"type":"email","email":"ann@example.com"},{"type":"totp","totp_secret":"GEZDGNBVGY3TQOJQ"}]`)
		answers(t, set, 200, []string{`"email":"ann@example.com"`, `"totp_secret":"GEZDGNBVGY3TQOJQ"`}, nil)
		answers(t, w.call(t, "GET", methods, w.machine(t, reads), ""), 200, []string{`"type":"email"`, `"type":"totp"`}, []string{"phone"})
		answers(t, w.call(t, "PUT", methods, w.machine(t, updates), `[]`), 200, []string{`[]`}, nil)
		answers(t, w.call(t, "GET", methods, w.machine(t, reads), ""), 200, []string{`[]`}, nil)

		ticket := w.call(t, "POST", "/guardian/enrollments/ticket", w.machine(t, "create:guardian_enrollment_tickets"), `{"user_id":"auth0|ann","send_mail":true}`)
		answers(t, ticket, http.StatusOK, []string{`{"ticket_id":"`, `"ticket_url":"` + publicURL + factor.TicketPath + `?ticket=`}, nil)

		// What a ticket enrolls: what is named, or else what is switched on.
		kind := func(body string) factor.Kind {
			t.Helper()
			var made struct {
				ID string `json:"ticket_id"`
			}
			res := w.call(t, "POST", "/guardian/enrollments/ticket", w.machine(t, "create:guardian_enrollment_tickets"), body)
			answers(t, res, http.StatusOK, nil, nil)
			must(t, json.Unmarshal(res.Body.Bytes(), &made))
			k, _, err := w.api.Factors.Ticket(t.Context(), made.ID)
			must(t, err)
			return k.Kind
		}
		ann, phone := `{"user_id":"auth0|ann"}`, `{"user_id":"auth0|ann","factor":"phone"}`
		if got := kind(ann); got != factor.TOTP {
			t.Errorf("nothing is on: %s", got)
		}
		answers(t, w.call(t, "PUT", "/guardian/factors/sms", w.machine(t, "update:guardian_factors"), `{"enabled":true}`), 200, nil, nil)
		if a, b := kind(ann), kind(phone); a != factor.Phone || b != factor.Phone {
			t.Errorf("text messages are on: %s, %s", a, b)
		}
		answers(t, w.call(t, "PUT", "/guardian/factors/otp", w.machine(t, "update:guardian_factors"), `{"enabled":true}`), 200, nil, nil)
		if a, b, c := kind(ann), kind(phone), kind(`{"user_id":"auth0|ann","factor":"otp"}`); a != factor.TOTP || b != factor.Phone || c != factor.TOTP {
			t.Errorf("both are on: %s, %s, %s", a, b, c)
		}
	})
}
