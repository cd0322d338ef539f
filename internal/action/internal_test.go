package action_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
)

// security.md 95, 110: whatever asks, an internal address is refused at the dial.
func TestInternalAddressesAreNotDialed(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var met atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			met.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	connections := map[string]*connection.Connection{}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		at := host + ":" + port
		connections["webhook "+host] = hookedAt(t, "http://"+at+"/")
		for _, scheme := range []string{"postgres", "mysql", "sqlserver"} {
			connections[scheme+" "+host] = legacy(t, map[string]any{"sql": map[string]string{
				"url": scheme + "://app:${HOOK}@" + at + "/x", "login": "SELECT user_id, password_hash FROM users WHERE email = :identifier",
			}}, map[string]string{"HOOK": hookSecret})
		}
		bare := strings.Trim(host, "[]")
		for name, body := range map[string]string{
			"fetch":   fmt.Sprintf(`fetch('http://%s/').then(() => callback(null, 1), callback)`, at),
			"request": fmt.Sprintf(`require('request')('http://%s/', callback)`, at),
			"axios":   fmt.Sprintf(`require('axios').get('http://%s/').then(() => callback(null, 1), callback)`, at),
			"https":   fmt.Sprintf(`require('https').get('https://%s/', () => callback(null, 1)).on('error', callback)`, at),
			"pg":      fmt.Sprintf(`const { Client } = require('pg'); new Client({host: '%s', port: %s, user: 'a', password: 'b', database: 'c'}).connect(callback)`, bare, port),
			"mysql":   fmt.Sprintf(`require('mysql').createConnection({host: '%s', port: %s, user: 'a', password: 'b', database: 'c'}).connect(callback)`, bare, port),
			"mongodb": fmt.Sprintf(`new (require('mongodb').MongoClient)('mongodb://a:b@%s/c').connect(callback)`, at),
			"mssql":   fmt.Sprintf(`require('mssql').connect({server: '%s', port: %s, user: 'a', password: 'b', database: 'c'}).then(() => callback(null, 1), callback)`, bare, port),
		} {
			connections[name+" "+host] = scripted(t, customdb.Login, "function login(email, password, callback) {"+body+"}")
		}
	}
	r := runnerWithin(nil)
	for name, c := range connections {
		t.Run(name, func(t *testing.T) {
			answer, err := r.Run(t.Context(), c, calls[0])
			if n := met.Swap(0); n != 0 {
				t.Fatalf("dialed %d times: %s, %v", n, answer.Value, err)
			}
			f := failure(t, err)
			if said := f.Message + f.Detail; !strings.Contains(said, "EACCES") && !strings.Contains(said, "outbound-allow") {
				t.Errorf("%+v", *f)
			}
		})
	}
}
