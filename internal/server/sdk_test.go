package server_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth0/go-auth0/management"
)

// The official Go SDK, given nothing but domain and client credentials, makes
// every management call of the slice.

func statusOf(err error) int {
	var e management.Error
	if errors.As(err, &e) {
		return e.Status()
	}
	return 0
}

func TestSDKUsers(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := &management.User{
			Connection: ptr(database), Email: ptr("Ann@Example.com"), Password: ptr(goodPassword),
			Name: ptr("Ann Lee"), GivenName: ptr("Ann"), FamilyName: ptr("Lee"), Nickname: ptr("annie"),
			Picture: ptr("https://example.com/ann.png"), EmailVerified: ptr(true),
			UserMetadata: &map[string]any{"theme": "dark"}, AppMetadata: &map[string]any{"plan": "pro"},
		}
		if err := w.sdk.User.Create(ctx, u); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(u.GetID(), "auth0|") || u.GetEmail() != "ann@example.com" || u.GetName() != "Ann Lee" {
			t.Fatalf("created %s", u)
		}
		got, err := w.sdk.User.Read(ctx, u.GetID())
		if err != nil {
			t.Fatal(err)
		}
		if got.GetNickname() != "annie" || got.GetFamilyName() != "Lee" || !got.GetEmailVerified() || (*got.UserMetadata)["theme"] != "dark" {
			t.Fatalf("read %s", got)
		}
		if len(got.Identities) != 1 || got.Identities[0].GetConnection() != database || got.Identities[0].GetIsSocial() {
			t.Fatalf("identities %v", got.Identities)
		}
		if err := w.sdk.User.Update(ctx, u.GetID(), &management.User{Nickname: ptr("Ann of all"), UserMetadata: &map[string]any{"lang": "en"}}); err != nil {
			t.Fatal(err)
		}
		list, err := w.sdk.User.ListByEmail(ctx, "ann@example.com")
		if err != nil || len(list) != 1 {
			t.Fatalf("by e-mail: %v %v", list, err)
		}
		if list[0].GetNickname() != "Ann of all" || len(*list[0].UserMetadata) != 2 {
			t.Fatalf("after the update %s", list[0])
		}
		if err := w.sdk.User.Create(ctx, &management.User{Connection: ptr(database), Email: ptr("ANN@example.com"), Password: ptr(goodPassword)}); statusOf(err) != 409 {
			t.Fatalf("the same address again: %v", err)
		}
		if err := w.sdk.User.Delete(ctx, u.GetID()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.sdk.User.Read(ctx, u.GetID()); statusOf(err) != 404 {
			t.Fatalf("after the deletion: %v", err)
		}
		if err := w.sdk.User.Delete(ctx, u.GetID()); err != nil {
			t.Fatalf("deleting nobody: %v", err)
		}
	})
}

func TestSDKConnections(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := &management.Connection{
			Name: ptr("acme"), Strategy: ptr("oidc"),
			Options: &management.ConnectionOptionsOIDC{
				ClientID: ptr("id"), ClientSecret: ptr("secret"), Type: ptr("back_channel"), Issuer: ptr("https://idp.acme.example/"),
				AuthorizationEndpoint: ptr("https://idp.acme.example/authorize"), TokenEndpoint: ptr("https://idp.acme.example/token"),
				JWKSURI: ptr("https://idp.acme.example/keys"), Scope: ptr("openid profile"),
			},
		}
		if err := w.sdk.Connection.Create(ctx, c); err != nil {
			t.Fatal(err)
		}
		read := func() *management.ConnectionOptionsOIDC {
			t.Helper()
			got, err := w.sdk.Connection.Read(ctx, c.GetID())
			if err != nil {
				t.Fatal(err)
			}
			o, ok := got.Options.(*management.ConnectionOptionsOIDC)
			if !ok {
				t.Fatalf("options are %T", got.Options)
			}
			return o
		}
		o := read()
		if o.SetUserAttributes != nil {
			t.Fatalf("set_user_root_attributes is shown before it was set: %s", o.GetSetUserAttributes())
		}
		o.SetUserAttributes = ptr("on_first_login")
		if err := w.sdk.Connection.Update(ctx, c.GetID(), &management.Connection{Options: o}); err != nil {
			t.Fatal(err)
		}
		if got := read(); got.GetSetUserAttributes() != "on_first_login" || got.GetClientSecret() != "secret" {
			t.Fatalf("after the update: %s", got)
		}
		o.SetUserAttributes = ptr("sometimes")
		if err := w.sdk.Connection.Update(ctx, c.GetID(), &management.Connection{Options: o}); statusOf(err) != 400 {
			t.Fatalf("a mode that does not exist: %v", err)
		}
		own, err := w.sdk.Connection.ReadByName(ctx, database)
		if err != nil {
			t.Fatal(err)
		}
		err = w.sdk.Connection.Update(ctx, own.GetID(), &management.Connection{Options: &management.ConnectionOptions{SetUserAttributes: ptr("on_first_login")}})
		if statusOf(err) != 400 || !strings.Contains(err.Error(), "can be set only for enterprise connections") {
			t.Fatalf("on a database of ours: %v", err)
		}
		list, err := w.sdk.Connection.List(ctx, management.Parameter("strategy", "oidc"))
		if err != nil || len(list.Connections) != 1 {
			t.Fatalf("list %v %v", list, err)
		}
		if err := w.sdk.Connection.Delete(ctx, c.GetID()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.sdk.Connection.Read(ctx, c.GetID()); statusOf(err) != 404 {
			t.Fatalf("after the deletion: %v", err)
		}
	})
}

func TestSDKClientsGrantsAndAPIs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		api := &management.ResourceServer{
			Name: ptr("Orders"), Identifier: ptr("https://orders.example/"),
			Scopes: &[]management.ResourceServerScope{{Value: ptr("read:orders")}, {Value: ptr("write:orders")}},
		}
		if err := w.sdk.ResourceServer.Create(ctx, api); err != nil {
			t.Fatal(err)
		}
		if got, err := w.sdk.ResourceServer.Read(ctx, "https://orders.example/"); err != nil || got.GetID() != api.GetID() {
			t.Fatalf("by identifier: %v %v", got, err)
		}
		c := &management.Client{Name: ptr("Machine"), AppType: ptr("non_interactive"), GrantTypes: &[]string{"client_credentials"}}
		if err := w.sdk.Client.Create(ctx, c); err != nil {
			t.Fatal(err)
		}
		if len(c.GetClientID()) != 32 || len(c.GetClientSecret()) < 48 {
			t.Fatalf("client %q with a secret of %d", c.GetClientID(), len(c.GetClientSecret()))
		}
		g := &management.ClientGrant{ClientID: c.ClientID, Audience: ptr("https://orders.example/"), Scope: &[]string{"read:orders"}}
		if err := w.sdk.ClientGrant.Create(ctx, g); err != nil {
			t.Fatal(err)
		}
		grants, err := w.sdk.ClientGrant.List(ctx, management.Parameter("client_id", c.GetClientID()))
		if err != nil || len(grants.ClientGrants) != 1 || !slices.Equal(grants.ClientGrants[0].GetScope(), []string{"read:orders"}) {
			t.Fatalf("grants %v %v", grants, err)
		}
		if err := w.sdk.Client.Update(ctx, c.GetClientID(), &management.Client{Description: ptr("a machine")}); err != nil {
			t.Fatal(err)
		}
		if got, err := w.sdk.Client.Read(ctx, c.GetClientID()); err != nil || got.GetDescription() != "a machine" || got.GetName() != "Machine" {
			t.Fatalf("read %v %v", got, err)
		}
		clients, err := w.sdk.Client.List(ctx, management.Parameter("is_global", "true"))
		if err != nil || len(clients.Clients) != 1 || clients.Clients[0].GetName() != "All Applications" {
			t.Fatalf("the global client: %v %v", clients, err)
		}
		servers, err := w.sdk.ResourceServer.List(ctx)
		if err != nil || len(servers.ResourceServers) != 2 {
			t.Fatalf("APIs: %v %v", servers, err)
		}
		for _, s := range servers.ResourceServers {
			if s.GetIdentifier() == w.url+"/api/v2/" {
				if err := w.sdk.ResourceServer.Delete(ctx, s.GetID()); err == nil {
					t.Fatal("the Management API was deleted")
				}
			}
		}
		if err := w.sdk.ClientGrant.Delete(ctx, grants.ClientGrants[0].GetID()); err != nil {
			t.Fatal(err)
		}
		if err := w.sdk.ResourceServer.Delete(ctx, api.GetID()); err != nil {
			t.Fatal(err)
		}
		if err := w.sdk.Client.Delete(ctx, c.GetClientID()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.sdk.Client.Read(ctx, c.GetClientID()); statusOf(err) != 404 {
			t.Fatalf("after the deletion: %v", err)
		}
	})
}

func TestSDKImport(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		con, err := w.sdk.Connection.ReadByName(ctx, database)
		if err != nil {
			t.Fatal(err)
		}
		job := &management.Job{
			ConnectionID: con.ID, ExternalID: ptr("first"),
			Users: []map[string]any{
				{"email": "one@example.com", "name": "One", "given_name": "O", "user_metadata": map[string]any{"n": 1}},
				{"email": "two@"},
				{"email": "three@example.com", "nickname": "tres", "email_verified": true},
				{"email": "ONE@example.com"},
			},
		}
		if err := w.sdk.Job.ImportUsers(ctx, job); err != nil {
			t.Fatal(err)
		}
		w.await(job.GetID())
		status, body := w.call("GET", "/api/v2/jobs/"+job.GetID(), "")
		if status != 200 || !strings.Contains(body, `"summary":{"failed":2,"updated":0,"inserted":2,"total":4}`) || !strings.Contains(body, `"external_id":"first"`) {
			t.Fatalf("job: %d %s", status, body)
		}
		status, body = w.call("GET", "/api/v2/jobs/"+job.GetID()+"/errors", "")
		var failed []struct {
			User   map[string]any
			Errors []struct{ Code, Message, Path string }
		}
		if err := json.Unmarshal([]byte(body), &failed); err != nil || status != 200 || len(failed) != 2 {
			t.Fatalf("errors: %d %s %v", status, body, err)
		}
		if failed[0].User["email"] != "two@" || failed[0].Errors[0].Path != "email" || failed[1].Errors[0].Code != "DUPLICATED_USER" {
			t.Fatalf("errors: %s", body)
		}
		one, err := w.sdk.User.ListByEmail(ctx, "one@example.com")
		if err != nil || len(one) != 1 || one[0].GetName() != "One" || one[0].GetGivenName() != "O" || one[0].GetNickname() != "one" {
			t.Fatalf("imported: %v %v", one, err)
		}
		again := &management.Job{ConnectionID: con.ID, Upsert: ptr(true), Users: []map[string]any{{"email": "one@example.com", "name": "Uno"}}}
		if err := w.sdk.Job.ImportUsers(ctx, again); err != nil {
			t.Fatal(err)
		}
		w.await(again.GetID())
		if one, err = w.sdk.User.ListByEmail(ctx, "one@example.com"); err != nil || one[0].GetName() != "Uno" || one[0].GetGivenName() != "O" {
			t.Fatalf("after the upsert: %v %v", one, err)
		}
	})
}

// await asks for the job until it has ended; the API has no other signal.
func (w *world) await(jobID string) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		job, err := w.sdk.Job.Read(w.t.Context(), jobID)
		if err != nil {
			w.t.Fatal(err)
		}
		if s := job.GetStatus(); s == "completed" || s == "failed" {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			w.t.Fatalf("job %s has not ended: %s", jobID, job)
		}
	}
}

// TestLogsSayNothingPersonal plays canaries through the server at debug level.
func TestLogsSayNothingPersonal(t *testing.T) {
	w := newWorld(t, "sqlite")
	canaries := []string{"canary-name", "canary-mail", "canary-password-1", "canary-metadata", managementSecret}
	status, body := w.call("POST", "/api/v2/users", `{"connection":"`+database+`","email":"canary-mail@example.com","password":"canary-password-1 is long enough","name":"canary-name","user_metadata":{"k":"canary-metadata"}}`)
	if status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	var u struct {
		ID string `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(body), &u); err != nil {
		t.Fatal(err)
	}
	w.call("GET", "/api/v2/users-by-email?email=canary-mail@example.com", "")
	w.call("PATCH", "/api/v2/users/"+u.ID, `{"name":"canary-name","name":1}`)
	w.call("PATCH", "/api/v2/users/"+u.ID, `{"password":"canary-password-1 weak"}`)
	w.call("GET", "/api/v2/users/auth0%7Ccanary-name", "")
	a := w.newApplication(database)
	for _, password := range []string{"canary-password-1 wrong", "canary-password-1 is long enough"} {
		res, err := w.client.PostForm(w.url+"/oauth/token", map[string][]string{
			"grant_type": {"http://auth0.com/oauth/grant-type/password-realm"}, "realm": {database}, "username": {"canary-mail@example.com"},
			"password": {password}, "client_id": {a.oauth.ClientID}, "client_secret": {a.oauth.ClientSecret},
		})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	w.stop()
	logs := w.logs.String()
	if strings.Count(logs, "\n") < 8 {
		t.Fatalf("only %d lines were logged: the test looks at nothing", strings.Count(logs, "\n"))
	}
	for _, c := range append(canaries, a.oauth.ClientSecret) {
		if strings.Contains(logs, c) {
			i := strings.Index(logs, c)
			t.Errorf("%q is in the log: …%s…", c, logs[max(0, i-200):min(len(logs), i+100)])
		}
	}
}

// TestDataIsPrivate: nobody else on the machine can read what is on the disk.
func TestDataIsPrivate(t *testing.T) {
	dir := t.TempDir()
	w := newWorldIn(t, dir, "")
	w.stop()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		certificate := strings.HasPrefix(path, filepath.Join(dir, "tls")) && !strings.Contains(d.Name(), "key")
		if info.Mode().Perm()&0o077 != 0 && !certificate {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mangrove.db")); err != nil {
		t.Fatal(err)
	}
}
