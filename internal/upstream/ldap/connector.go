package ldap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	ldapv3 "github.com/go-ldap/ldap/v3"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/upstream"
)

// Ports are those of LDAP that HTTP does not have; a global catalog's are open anyway.
var Ports = []uint16{389, 636}

// Connector asks directories. It keeps connections to their servers; all of it can
// be made anew at any time.
type Connector struct {
	dialer *net.Dialer
	now    func() time.Time

	mu          sync.Mutex
	directories map[string]*directory // by connection id
}

var _ upstream.Directory = (*Connector)(nil)

// New makes a connector that dials by dialer (outbound.Dialer).
func New(dialer *net.Dialer, now func() time.Time) *Connector {
	return &Connector{dialer: dialer, now: now, directories: map[string]*directory{}}
}

// Close ends the connections that are idle.
func (k *Connector) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, d := range k.directories {
		d.close()
		delete(k.directories, id)
	}
}

// directory is that of the connection, under its options as they are now.
func (k *Connector) directory(c *connection.Connection) (*directory, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.directories[c.ID]
	if d != nil && d.raw == string(c.Options) {
		return d, nil
	}
	o, err := optionsOf(c.Options)
	if err != nil {
		return nil, upstream.ErrConfig.Because(err)
	}
	if d != nil {
		d.close()
	}
	d = newDirectory(string(c.Options), o, k.dialer, k.now)
	k.directories[c.ID] = d
	return d, nil
}

// Status asks each server who it is, until one answers.
func (k *Connector) Status(ctx context.Context, c *connection.Connection) error {
	d, err := k.directory(c)
	if err != nil {
		return err
	}
	return d.ask(ctx, func(ctx context.Context, s *server) error {
		return d.searching(ctx, s, func(l *link) error {
			_, err := l.read("", "supportedLDAPVersion")
			return err
		})
	})
}

// SignIn finds whom the name means, has that person bind, and reads the entry.
func (k *Connector) SignIn(ctx context.Context, c *connection.Connection, name, password string, count func(who string) error) (upstream.Result, error) {
	if count == nil {
		count = func(string) error { return nil }
	}
	if !acceptable(name, password) {
		return upstream.Result{}, upstream.ErrWrongCredentials
	}
	d, err := k.directory(c)
	if err != nil {
		return upstream.Result{}, err
	}
	var r upstream.Result
	err = d.ask(ctx, func(ctx context.Context, s *server) error {
		return d.searching(ctx, s, func(l *link) error {
			a := attempt{directory: d, server: s, link: l, name: name, password: password, count: count}
			e, groups, err := a.run(ctx)
			if err != nil {
				return err
			}
			r.Claims, err = d.claims(c, e, groups)
			return err
		})
	})
	return r, settled(err)
}

// settled is a failure in the words of upstream.
func settled(err error) error {
	var known *errs.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return upstream.ErrRefused.Because(err)
}

// attempt is one name and password at one server.
type attempt struct {
	*directory
	server         *server
	link           *link
	name, password string
	count          func(who string) error
}

func (a *attempt) run(ctx context.Context) (*ldapv3.Entry, []string, error) {
	k := a.server.what()
	f, ok := a.query(k, a.name)
	var person *ldapv3.Entry
	why := errors.New("the name is of another domain")
	if ok {
		var err error
		if person, why, err = a.find(f); err != nil {
			return nil, nil, err
		}
	}
	who := a.spelling(k, a.name)
	if person != nil {
		who = person.DN
	}
	if err := a.count(who); err != nil {
		return nil, nil, err
	}
	if person == nil {
		return nil, nil, a.decoy(ctx, why)
	}
	own, err := a.bind(ctx, person.DN)
	if err != nil {
		return nil, nil, err
	}
	defer own.close()
	reader := a.link
	if a.BindDN == "" { // nobody in particular may see less than the person
		end := own.begin(ctx)
		defer end()
		reader = own
		if person, err = own.read(person.DN, a.wanted(f)...); err != nil {
			return nil, nil, err
		}
	}
	if err := usable(person, a.now()); err != nil {
		return nil, nil, err
	}
	groups, err := a.groups(reader, k, person)
	return person, groups, err
}

// find is the one entry that has the name; nil, and why, when there is none.
func (a *attempt) find(f filter) (_ *ldapv3.Entry, why, err error) {
	found, err := a.link.search(a.Base, ldapv3.ScopeWholeSubtree, 2, f.Text, a.wanted(f)...)
	switch {
	case err != nil:
		return nil, nil, err
	case len(found) == 0:
		return nil, errors.New("nobody has the name"), nil
	case len(found) > 1:
		return nil, errors.New("two entries have the name"), nil
	case found[0].DN == "" || !utf8.ValidString(found[0].DN): // a bind without a name would be anonymous
		return nil, errors.New("the entry has no DN"), nil
	case !f.literally(found[0]):
		return nil, errors.New("the entry has a name that is spelled otherwise"), nil
	}
	return found[0], nil, nil
}

// decoy takes the time that a wrong password takes.
func (a *attempt) decoy(ctx context.Context, why error) error {
	own, err := a.bind(ctx, "cn="+rand.Text()+","+a.Base)
	if err == nil {
		own.close()
	}
	var s *silence
	if errors.As(err, &s) {
		return err
	}
	return upstream.ErrWrongCredentials.Because(fmt.Errorf("%w: %w", upstream.ErrNobody, why))
}

// bind is the proof of the password, on a connection of its own: one that is shared
// must never be somebody's. Errors: refusals of upstream, *silence.
func (a *attempt) bind(ctx context.Context, dn string) (*link, error) {
	own, err := a.dial(ctx, a.server.address)
	if err != nil {
		return nil, err
	}
	end := own.begin(ctx)
	defer end()
	var controls []ldapv3.Control
	result, err := own.SimpleBind(ldapv3.NewSimpleBindRequest(dn, a.password, []ldapv3.Control{ldapv3.NewControlBeheraPasswordPolicy()}))
	if result != nil {
		controls = result.Controls
	}
	if err := verdict(err, controls); err != nil {
		own.close()
		return nil, err
	}
	return own, nil
}
