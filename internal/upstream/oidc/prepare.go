package oidc

import (
	"context"
	"crypto/sha1" //nolint:gosec // thumbprints are SHA-1 by definition (RFC 7517 §4.8)
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// prepareTimeout bounds how long writing a connection waits for its provider.
const prepareTimeout = 3 * time.Second

// maxMetadata bounds a document that is stored with a connection, in bytes.
const maxMetadata = 64 << 10

// Prepare completes the options of oidc and its like (reference/connections.md
// §1.5, §2.5): oidc_metadata is what discovery says, for oidc whenever
// discovery_url is set and nothing else was sent, otherwise when there is none or
// the provider is another one now. A provider that does not answer refuses nothing:
// what is stored about it stays, and where nothing is the first login asks.
func (k *Connector) Prepare(ctx context.Context, _ string, stored, next strictjson.Document) (strictjson.Document, error) {
	k.describe(ctx, stored, next)
	fillEndpoints(stored.Object("oidc_metadata"), next)
	return next, nil
}

// describe settles oidc_metadata.
func (k *Connector) describe(ctx context.Context, stored, next strictjson.Document) {
	address := metadataAddress(next)
	moved := stored != nil && address != metadataAddress(stored)
	unsaid := len(next.Object("oidc_metadata")) == 0
	carried := stored != nil && string(next["oidc_metadata"]) == string(stored["oidc_metadata"])
	if address == "" || !unsaid && !(carried && (moved || next.Text("discovery_url") != "")) {
		return
	}
	if found := k.metadata(ctx, address, next); found != nil {
		next["oidc_metadata"] = found
	} else if moved && carried {
		delete(next, "oidc_metadata") // it is another provider's
	}
}

// fillEndpoints writes what oidc_metadata says into the endpoints that were sent as null,
// and into those that a client read here before and sends back: they are of the
// provider that was.
func fillEndpoints(before, next strictjson.Document) {
	found := next.Object("oidc_metadata")
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
		v, sent := next[name]
		old := before.Text(name)
		if sent && found.Text(name) != "" && (string(v) == "null" || old != "" && next.Text(name) == old) {
			next[name] = found[name]
		}
	}
}

// metadataAddress is where the options say that the discovery document is.
func metadataAddress(o strictjson.Document) string {
	if domain := o.Text("domain"); domain != "" && o.Text("discovery_url") == "" {
		return "https://" + domain + wellKnown
	}
	return o.Text("discovery_url")
}

// metadata is the document, compact; nil when there is none that can be used: the
// login says what is wrong with it.
func (k *Connector) metadata(ctx context.Context, address string, o strictjson.Document) json.RawMessage {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	raw, err := k.get(ctx, address, "")
	if err != nil || len(raw) > maxMetadata {
		return nil
	}
	found, err := parseProvider(raw)
	set := &connection.OIDCOptions{DiscoveryURL: address}
	if err != nil || found.Issuer == "" || o.Text("issuer") == "" && rightIssuer(set, found.Issuer) != nil {
		return nil
	}
	compact, err := strictjson.Compact(raw)
	if err != nil {
		return nil
	}
	return compact
}

// EntraPreparer completes the options of waad (reference/connections.md §1.6).
type EntraPreparer struct {
	Connector *Connector
	// Host is the server's own, which is app_domain.
	Host string
}

// Prepare sets app_domain, userid_attribute and thumbprints, those of the certificates of the
// tenant's keys; a tenant that does not answer refuses nothing.
func (p EntraPreparer) Prepare(ctx context.Context, _ string, _, next strictjson.Document) (strictjson.Document, error) {
	if !next.Has("app_domain") && p.Host != "" {
		next["app_domain"] = profile.Text(p.Host)
	}
	// Older clients send the name that other strategies have.
	if by := next.Text("user_id_attribute"); !next.Has("userid_attribute") && (by == "oid" || by == "sub") {
		next["userid_attribute"] = profile.Text(by)
	}
	if len(next.Texts("thumbprints")) > 0 {
		return next, nil
	}
	c := &connection.Connection{Strategy: "waad", Options: next.Encode()}
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	found, err := NewEntra(p.Connector).tenantProvider(ctx, c, entraOptionsOf(c))
	if err != nil {
		return next, nil
	}
	raw, err := p.Connector.get(ctx, found.JWKSURI, "")
	if err != nil {
		return next, nil
	}
	if list := thumbprints(raw); len(list) > 0 {
		next["thumbprints"] = textsValue(list)
	}
	return next, nil
}

// maxThumbprints is the contract's.
const maxThumbprints = 20

// thumbprints are those of the certificates in a key set, sorted.
func thumbprints(raw []byte) []string {
	var doc struct {
		Keys []struct {
			X5c []string `json:"x5c"`
		} `json:"keys"`
	}
	if json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	var list []string
	for _, k := range doc.Keys {
		if len(k.X5c) == 0 {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(k.X5c[0])
		if err != nil || len(der) == 0 {
			continue
		}
		sum := sha1.Sum(der) //nolint:gosec // see the import
		list = append(list, hex.EncodeToString(sum[:]))
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), maxThumbprints)]
}

// WorkspacePreparer completes the options of google-apps.
type WorkspacePreparer struct{}

// Prepare computes the scope from the flags email and profile, and keeps
// map_user_id_to_id as it was when the connection was made: with another value
// everybody would be somebody new.
func (WorkspacePreparer) Prepare(_ context.Context, _ string, stored, next strictjson.Document) (strictjson.Document, error) {
	if stored != nil {
		delete(next, "map_user_id_to_id")
		if v, ok := stored["map_user_id_to_id"]; ok {
			next["map_user_id_to_id"] = v
		}
	}
	var scope []string
	for _, name := range []string{"email", "profile"} {
		if next.Flag(name) {
			scope = append(scope, name)
		}
	}
	for _, w := range connection.Words(next, "scope") {
		if w != "email" && w != "profile" {
			scope = append(scope, w)
		}
	}
	next["scope"] = textsValue(scope)
	return next, nil
}
