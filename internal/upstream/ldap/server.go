package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"

	"mangrove/internal/upstream"
)

const (
	// avoidance is how long a server that did not answer is asked after the others.
	avoidance = 30 * time.Second
	// An idle connection is kept so long, and so many of them.
	idleTime, maxIdle = time.Minute, 4
)

// directory is the servers of one connection under one set of options.
type directory struct {
	*options
	raw     string // the options that it was made of
	dialer  *net.Dialer
	tls     *tls.Config
	now     func() time.Time
	servers []*server
}

// server is one of them.
type server struct {
	address
	mu    sync.Mutex
	idle  []*link
	kind  *kind // nil: not known yet
	avoid time.Time
}

func newDirectory(raw string, o *options, dialer *net.Dialer, now func() time.Time) *directory {
	d := &directory{options: o, raw: raw, dialer: dialer, now: now, tls: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: o.Roots, ServerName: o.ServerName,
		ClientSessionCache: tls.NewLRUClientSessionCache(2 * len(o.Servers)),
	}}
	for _, a := range o.Servers {
		d.servers = append(d.servers, &server{address: a})
	}
	return d
}

// close ends the idle connections; those in use end when they are given back.
func (d *directory) close() {
	for _, s := range d.servers {
		s.drop()
	}
}

// ask has fn ask the servers in turn, until one answers: those that did not answer
// lately come last. fn's *silence means that the server did not.
func (d *directory) ask(ctx context.Context, fn func(ctx context.Context, s *server) error) error {
	if err := ctx.Err(); err != nil { // an idle connection could answer before it is cut
		return upstream.ErrUnreachable.Because(err)
	}
	// One that is silent must not leave those behind it without time.
	ctx, cancel := context.WithTimeout(ctx, d.Timeout*time.Duration(min(len(d.servers), 3)))
	defer cancel()
	var quiet []error
	for _, s := range d.inTurn() {
		err := s.within(ctx, d.Timeout, fn)
		var why *silence
		if !errors.As(err, &why) {
			s.shun(time.Time{})
			return err
		}
		quiet = append(quiet, fmt.Errorf("%s: %w", s.address, err))
		if errors.Is(ctx.Err(), context.Canceled) {
			break // whoever asked is gone, which says nothing about the server
		}
		s.shun(d.now().Add(avoidance))
		s.drop()
	}
	return upstream.ErrUnreachable.Because(errors.Join(quiet...))
}

func (d *directory) inTurn() []*server {
	now := d.now()
	list := slices.Clone(d.servers)
	slices.SortStableFunc(list, func(a, b *server) int {
		switch x, y := a.shunned(now), b.shunned(now); {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	})
	return list
}

func (s *server) within(ctx context.Context, limit time.Duration, fn func(context.Context, *server) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return fn(ctx, s)
}

func (s *server) shunned(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.avoid)
}

func (s *server) shun(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.avoid = until
}

// searching has fn search on a connection that is signed in as the connection's own
// account. One that was idle may be dead without anybody's fault: fn then gets a
// fresh one.
func (d *directory) searching(ctx context.Context, s *server, fn func(*link) error) error {
	for {
		l := s.take()
		reused := l != nil
		if !reused {
			var err error
			if l, err = d.open(ctx, s); err != nil {
				return err
			}
		}
		end := l.begin(ctx)
		err := fn(l)
		end()
		var why *silence
		if errors.As(err, &why) {
			l.spent = true
		}
		s.give(l)
		if why == nil || !reused || ctx.Err() != nil {
			return err
		}
	}
}

// open makes a connection, signs it in, and learns what the server is.
func (d *directory) open(ctx context.Context, s *server) (*link, error) {
	l, err := d.dial(ctx, s.address)
	if err != nil {
		return nil, err
	}
	end := l.begin(ctx)
	defer end()
	if err = d.signIn(l); err == nil {
		err = s.learn(l)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (d *directory) signIn(l *link) error {
	if d.BindDN == "" {
		return nil
	}
	err := answered("bind of the connection, by bind_dn and bind_password", l.Bind(d.BindDN, d.BindPassword))
	var why *silence
	if err == nil || errors.As(err, &why) {
		return err
	}
	return upstream.ErrConfig.Because(err)
}

// take is an idle connection, or nil.
func (s *server) take() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.idle) > 0 {
		l := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if l.idle.Stop() && !l.IsClosing() {
			return l
		}
	}
	return nil
}

// give takes a connection back.
func (s *server) give(l *link) {
	if l.spent || l.IsClosing() || !s.keep(l) {
		l.close()
	}
}

func (s *server) keep(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) >= maxIdle {
		return false
	}
	l.idle = time.AfterFunc(idleTime, l.close)
	s.idle = append(s.idle, l)
	return true
}

// drop closes idle connections and forgets what the server is.
func (s *server) drop() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.kind = nil, nil
	s.mu.Unlock()
	for _, l := range idle {
		l.idle.Stop()
		l.close()
	}
}

// activeDirectory is LDAP_CAP_ACTIVE_DIRECTORY_OID.
const activeDirectory = "1.2.840.113556.1.4.800"

// learn reads what the server is, once.
func (s *server) learn(l *link) error {
	s.mu.Lock()
	known := s.kind != nil
	s.mu.Unlock()
	if known {
		return nil
	}
	root, err := l.read("", "supportedCapabilities", "defaultNamingContext", "configurationNamingContext")
	if err != nil {
		return err
	}
	k := &kind{}
	if slices.Contains(root.GetEqualFoldAttributeValues("supportedCapabilities"), activeDirectory) {
		base := root.GetEqualFoldAttributeValue("defaultNamingContext")
		k.Active, k.DNS = true, dnsName(base)
		if k.NetBIOS, err = l.netBIOS(root.GetEqualFoldAttributeValue("configurationNamingContext"), base); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kind = k
	return nil
}

// what the server is; the zero kind before anybody has learnt it.
func (s *server) what() kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kind == nil {
		return kind{}
	}
	return *s.kind
}

// netBIOS is the short name of an Active Directory's domain; empty: an account of
// this connection may not read it.
func (l *link) netBIOS(configuration, domain string) (string, error) {
	f := "(&(objectClass=crossRef)(nCName=" + ldapv3.EscapeFilter(domain) + ")(nETBIOSName=*))"
	found, err := l.search("CN=Partitions,"+configuration, ldapv3.ScopeSingleLevel, 1, f, "nETBIOSName")
	var why *silence
	switch {
	case errors.As(err, &why):
		return "", err
	case len(found) != 1:
		return "", nil
	}
	return strings.TrimSpace(found[0].GetEqualFoldAttributeValue("nETBIOSName")), nil
}

// read is one entry by its DN.
func (l *link) read(dn string, attributes ...string) (*ldapv3.Entry, error) {
	found, err := l.search(dn, ldapv3.ScopeBaseObject, 1, "(objectClass=*)", attributes...)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("search: %d entries for one", len(found))
	}
	return found[0], nil
}

// search finds at most limit entries; more are as many as limit. Referrals are not
// followed: they lead where nobody has checked who answers.
func (l *link) search(base string, scope, limit int, filter string, attributes ...string) ([]*ldapv3.Entry, error) {
	found, err := l.Search(&ldapv3.SearchRequest{
		BaseDN: base, Scope: scope, DerefAliases: ldapv3.NeverDerefAliases, SizeLimit: limit, EnforceSizeLimit: true,
		Filter: filter, Attributes: attributes,
	})
	if err != nil && (errors.Is(err, ldapv3.ErrSizeLimitExceeded) || resultOf(err) == ldapv3.LDAPResultSizeLimitExceeded) {
		l.spent = true // the rest of the answer may be on its way
		return found.Entries, nil
	}
	if err != nil {
		return nil, answered("search", err)
	}
	return found.Entries, nil
}
