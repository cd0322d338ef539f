package ip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// Connector knows people by where they are. It needs nothing.
type Connector struct{}

var (
	_ upstream.Place      = Connector{}
	_ connection.Preparer = Connector{}
)

// maxName bounds the username in bytes: it becomes a user_id.
const maxName = 255

// options are those of the strategy.
type options struct {
	ranges   []netip.Prefix
	username string
}

// Recognize is the user of the connection if the address is in its range.
func (Connector) Recognize(_ context.Context, c *connection.Connection, from netip.Addr) (upstream.Result, error) {
	o, err := read(strictjson.ParseDocument(c.Options))
	if err != nil {
		return upstream.Result{}, upstream.ErrConfig.Because(err)
	}
	if !within(o.ranges, from) {
		return upstream.Result{}, upstream.ErrUnknownPlace
	}
	name := profile.Text(o.username)
	return upstream.Result{Claims: profile.Claims{
		Subject:    o.username,
		Attributes: []profile.Change{{Name: profile.Name, Value: name}},
		Raw:        strictjson.Document{"username": name}.Encode(),
	}}, nil
}

// Prepare refuses options by which nobody, or everybody, could sign in.
func (Connector) Prepare(_ context.Context, _ string, _, next strictjson.Document) (strictjson.Document, error) {
	if _, err := read(next); err != nil {
		return nil, errs.New(errs.Invalid, "invalid_body", "%s", "options."+err.Error())
	}
	return next, nil
}

func read(o strictjson.Document) (options, error) {
	v := options{username: strings.TrimSpace(o.Text("username"))}
	if v.username == "" || len(v.username) > maxName || strings.ContainsFunc(v.username, unicode.IsControl) {
		return options{}, errors.New("username must be the name that everybody of the range gets, of at most 255 bytes")
	}
	words := connection.Words(o, "range")
	if len(words) == 0 {
		return options{}, errors.New("range must list addresses or CIDR blocks, such as 203.0.113.7, 198.51.100.0/24")
	}
	for _, w := range words {
		p, err := parse(strings.TrimSpace(w))
		if err != nil {
			return options{}, err
		}
		v.ranges = append(v.ranges, p)
	}
	return v, nil
}

// parse reads an address or a CIDR block. IPv4 within IPv6 is IPv4.
func parse(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, errors.New("range has an entry that is neither an address nor a CIDR block")
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Bits() == 0 {
		return netip.Prefix{}, fmt.Errorf("range must not be every address (%s)", p)
	}
	return p.Masked(), nil
}

// within reports whether one of the ranges has the address, whichever way that is
// written.
func within(ranges []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range ranges {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
