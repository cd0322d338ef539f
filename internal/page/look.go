package page

import (
	"html/template"
	"net/url"
	"strings"

	"mangrove/internal/tenant"
)

// look is how a tenant's pages look.
type look struct {
	Company string // name of the tenant; never empty
	Named   bool   // the tenant gave a name
	Initial string // the first letter of Company
	Logo    string // URL; empty: the initial
	Favicon template.URL
	// Help and Mail lead to somebody who helps; empty: nobody.
	Help string
	Mail template.URL

	font    string // URL; empty: the system's
	light   theme
	dark    theme
	origins struct{ images, fonts []string }
}

// The house's own colours.
var (
	leaf    = colour{0x17, 0x69, 0x4a}
	paper   = colour{0xf3, 0xf5, 0xf4}
	evening = colour{0x0f, 0x14, 0x12}
)

// ownFavicon is a leaf.
const ownFavicon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%2317694a'/%3E%3Cpath d='M9 23C9 13 14 9 23 9c0 9-4 14-12 14m0-1c2-4 4-6 7-8' fill='none' stroke='%23fff' stroke-width='2.4' stroke-linecap='round'/%3E%3C/svg%3E"

// lookOf reads the settings. What is no colour or no URL there is passed over.
// secure: nothing is taken from plain http.
func lookOf(s *tenant.Settings, host string, secure bool) look {
	l := look{Company: s.FriendlyName, Named: s.FriendlyName != "", Favicon: ownFavicon}
	if !l.Named {
		l.Company = host
	}
	for _, c := range l.Company {
		l.Initial = strings.ToUpper(string(c))
		break
	}
	if l.Logo = foreign(s.Branding.LogoURL, secure); l.Logo == "" {
		l.Logo = foreign(s.PictureURL, secure)
	}
	l.origins.images = append(l.origins.images, source(l.Logo))
	if u := foreign(s.Branding.FaviconURL, secure); u != "" {
		l.Favicon = template.URL(u) //nolint:gosec // foreign lets http and https pass alone
		l.origins.images = append(l.origins.images, source(u))
	}
	l.font = foreign(s.Branding.FontURL, secure)
	l.origins.fonts = append(l.origins.fonts, source(l.font))
	l.Help = foreign(s.SupportURL, secure)
	if s.SupportEmail != "" {
		l.Mail = template.URL("mailto:" + url.PathEscape(s.SupportEmail)) //nolint:gosec // the scheme is ours, the rest is escaped
	}

	primary, ok := parseColour(s.Branding.PrimaryColor)
	if !ok {
		primary = leaf
	}
	ground, ok := parseColour(s.Branding.PageBackground)
	night := evening
	if ok {
		night = dusk(ground)
	} else {
		ground = paper
	}
	l.light, l.dark = themeOf(primary, ground, false), themeOf(primary, night, true)
	return l
}

// foreign is a URL that a page may load something from, made safe to stand in
// quotes of any kind; empty: it is none.
func foreign(raw string, secure bool) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && (secure || u.Scheme != "http") || source(raw) == "" {
		return ""
	}
	return strings.NewReplacer(`"`, "%22", "'", "%27", "(", "%28", ")", "%29", `\`, "%5C", "<", "%3C", ">", "%3E").Replace(u.String())
}

// theme is the colours of pages by day, or in the dark.
type theme struct {
	ground, onGround colour // behind the card, and text there
	card             colour
	// field is inside an input, quiet behind what only informs, hair a thin line.
	field, quiet, hair colour
	primary            colour // of buttons
	onPrimary, hover   colour
	edge               colour // of buttons
	link               colour
}

// themeOf makes every colour that depends on a brand's. Where the brand's colour
// cannot be read, it is made darker or lighter, as little as will do.
func themeOf(primary, ground colour, dark bool) theme {
	t := theme{ground: ground, card: white, primary: primary}
	soft := colour{0x52, 0x5f, 0x59}
	if dark {
		t.card = mix(ground, white, 0.05)
		if t.card.luminance() > 0.02 {
			t.card = colour{0x18, 0x1f, 0x1c}
		}
		soft = colour{0xa9, 0xb5, 0xaf}
		// A dark button on a dark card is hard to find.
		t.primary = against(primary, visible, t.card)
	}
	t.field, t.quiet, t.hair = white, mix(t.card, black, 0.045), mix(t.card, black, 0.11)
	if dark {
		t.field, t.quiet, t.hair = mix(t.card, black, 0.35), mix(t.card, white, 0.06), mix(t.card, white, 0.13)
	}
	t.onGround = against(soft, legible, t.ground)
	t.onPrimary = readable(t.primary)
	t.hover = mix(t.primary, black, 0.14)
	if t.onPrimary != white {
		t.hover = mix(t.primary, white, 0.2)
	}
	t.link = against(primary, legible, t.card)
	if dark {
		t.link = against(primary, 6.5, t.card) // text that glows dimly tires the eye
	}
	t.edge = against(t.primary, visible, t.card)
	return t
}

// css declares the colours as custom properties.
func (t theme) css() string {
	var b strings.Builder
	for _, v := range []struct {
		name string
		c    colour
	}{
		{"ground", t.ground}, {"on-ground", t.onGround}, {"card", t.card}, {"primary", t.primary}, {"on-primary", t.onPrimary},
		{"hover", t.hover}, {"edge", t.edge}, {"link", t.link},
		{"field", t.field}, {"quiet", t.quiet}, {"hair", t.hair},
	} {
		b.WriteString("--" + v.name + ":" + v.c.String() + ";")
	}
	return b.String()
}

// css is what of the style depends on the tenant.
func (l look) css() string {
	b := ":root{" + l.light.css() + "}@media (prefers-color-scheme:dark){:root{" + l.dark.css() + "}}"
	if l.font != "" {
		b += `@font-face{font-family:"Brand";src:url("` + l.font + `");font-display:swap}body{font-family:"Brand",system-ui,sans-serif}`
	}
	return b
}
