package saml

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// standardTemplate is the request of a connection without requestTemplate.
const standardTemplate = `<samlp:AuthnRequest xmlns:samlp="` + nsProtocol + `" ID="@@ID@@" Version="2.0" IssueInstant="@@IssueInstant@@"` +
	` @@AssertServiceURLAndDestination@@ ProtocolBinding="@@ProtocolBinding@@">` +
	`<saml:Issuer xmlns:saml="` + nsAssertion + `">@@Issuer@@</saml:Issuer>` +
	`<samlp:NameIDPolicy Format="` + formatUnspecified + `" AllowCreate="true"/></samlp:AuthnRequest>`

// Depart makes the AuthnRequest and says how the browser carries it.
func (k *Connector) Depart(ctx context.Context, c *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	o, err := configured(c)
	if err != nil {
		return upstream.Departure{}, err
	}
	if o.SignIn == "" {
		return upstream.Departure{}, upstream.ErrConfig.Because(errors.New("no signInEndpoint"))
	}
	id := newID()
	request, err := k.request(c, o, id, s)
	if err != nil {
		return upstream.Departure{}, upstream.ErrConfig.Because(err)
	}
	to, err := k.forward(o.SignIn, c, s)
	if err != nil {
		return upstream.Departure{}, err
	}
	m := outgoing{name: requestName, document: request, relayState: s.State, to: to, sign: o.Sign}
	d, err := k.send(ctx, o, m)
	if err != nil {
		return upstream.Departure{}, err
	}
	d.Pending = upstream.Pending{RequestID: id}
	return d, nil
}

// forward is the provider's address with what the application and the connection
// add to it. What prompt asks for is in the request itself.
func (k *Connector) forward(address string, c *connection.Connection, s upstream.Start) (string, error) {
	to, err := url.Parse(address)
	if err != nil {
		return "", upstream.ErrConfig.Because(errors.New("signInEndpoint is not a URL"))
	}
	params := c.Upstream().Params
	added := url.Values{}
	upstream.Forward(added, params, s)
	if !slices.ContainsFunc(params, func(p connection.UpstreamParam) bool { return p.Name == "prompt" }) {
		added.Del("prompt")
	}
	q := to.Query()
	for name, v := range added {
		if name != "SAMLResponse" && name != "SigAlg" && name != "Signature" {
			q[name] = v
		}
	}
	to.RawQuery = q.Encode()
	return to.String(), nil
}

// request is the AuthnRequest as it is sent, not signed yet.
func (k *Connector) request(c *connection.Connection, o *options, id string, s upstream.Start) (string, error) {
	template := standardTemplate
	if o.Template != "" {
		template = o.Template
	}
	filled := fillTemplate(template, templateValues{
		id: id, instant: instant(k.now()), issuer: k.entityID(c, o), destination: o.SignIn, consumer: k.consumer(c),
		provider: upstream.Tenant(k.publicURL), hint: s.LoginHint, options: c.Document(),
	})
	doc, err := safexml.Parse([]byte(filled), maxMessage)
	if err != nil {
		return "", fmt.Errorf("requestTemplate: %w", err)
	}
	root := doc.Root()
	if !safexml.Is(root, nsProtocol, "AuthnRequest") || safexml.Attr(root, "ID") != id {
		return "", errors.New("requestTemplate is not an AuthnRequest with @@ID@@")
	}
	if s.Params.Get("prompt") == "login" {
		root.CreateAttr("ForceAuthn", "true")
	}
	return text(root), nil
}

type templateValues struct {
	id, instant, issuer, destination, consumer, provider, hint string
	options                                                    strictjson.Document
}

var placeholder = regexp.MustCompile(`@@[A-Za-z0-9_.]{1,100}@@`)

// secretOptions are never part of a request.
var secretOptions = []string{"decryptionKey", "signing_key", "client_secret"}

// fillTemplate replaces the names of reference/connections.md §2.6. Each value is
// escaped for text and attributes alike; a name that is not known becomes nothing.
func fillTemplate(template string, v templateValues) string {
	return placeholder.ReplaceAllStringFunc(template, func(found string) string {
		name := strings.Trim(found, "@")
		switch name {
		case "ID":
			return escape(v.id)
		case "IssueInstant":
			return escape(v.instant)
		case "Issuer":
			return escape(v.issuer)
		case "Destination":
			return escape(v.destination)
		case "AssertionConsumerServiceURL":
			return escape(v.consumer)
		case "AssertServiceURLAndDestination":
			return `AssertionConsumerServiceURL="` + escape(v.consumer) + `" Destination="` + escape(v.destination) + `"`
		case "ProtocolBinding": // of the answer: it is always posted
			return bindingPOST
		case "ProviderName", "AccountId":
			return escape(v.provider)
		case "LoginHint":
			return escape(v.hint)
		}
		option, ok := strings.CutPrefix(name, "Connection.")
		if !ok || slices.Contains(secretOptions, option) {
			return ""
		}
		return escape(v.options.Text(option))
	})
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")

// escape makes text of a value, without what XML cannot hold.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return escaper.Replace(s)
}
