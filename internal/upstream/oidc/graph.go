package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// graphInfo is what Microsoft Graph told of a person.
type graphInfo struct {
	me               []strictjson.Member // nil: was not asked
	asked            bool                // for groups
	groups, groupIDs []string            // sorted
}

// graphFields are all that a profile is made of.
const graphFields = "id,displayName,givenName,surname,mail,userPrincipalName,mailNickname,jobTitle,businessPhones,mobilePhone," +
	"preferredLanguage,accountEnabled,city,country,department,onPremisesSyncEnabled,faxNumber,officeLocation,postalCode," +
	"proxyAddresses,state,streetAddress,usageLocation"

// graphPages bounds how often one login asks for more groups.
const graphPages = 60

// graph asks as far as the connection wants. Where Graph does not answer the login
// fails: a profile without its groups, or with old ones, would be another person's
// rights.
func (k Entra) graph(ctx context.Context, o entraOptions, access string) (graphInfo, error) {
	var info graphInfo
	if !o.profile && !o.groups {
		return info, nil
	}
	if access == "" {
		return info, errRefused.Because(errors.New("graph: there is no access token to ask with"))
	}
	if o.profile {
		raw, err := k.get(ctx, o.graph+"/v1.0/me?$select="+graphFields, access)
		if err != nil {
			return info, errUnreachable.Because(fmt.Errorf("graph me: %w", err))
		}
		if info.me, err = strictjson.Object(raw); err != nil {
			return info, errRefused.Because(errors.New("graph me: not a JSON object"))
		}
		info.me = slices.DeleteFunc(info.me, func(m strictjson.Member) bool { return strings.HasPrefix(m.Name, "@odata.") })
	}
	if !o.groups {
		return info, nil
	}
	info.asked = true
	return info, k.groups(ctx, o, access, &info)
}

// groups follows the pages. They may lead nowhere but to Graph: the token goes along.
func (k Entra) groups(ctx context.Context, o entraOptions, access string, info *graphInfo) error {
	next := o.graph + "/v1.0/me/memberOf"
	if o.nested {
		next = o.graph + "/v1.0/me/transitiveMemberOf"
	}
	next += "?$select=id,displayName&$top=100"
	for range graphPages {
		raw, err := k.get(ctx, next, access)
		if err != nil {
			return errUnreachable.Because(fmt.Errorf("graph groups: %w", err))
		}
		p, err := readGroupPage(raw)
		if err != nil {
			return errRefused.Because(err)
		}
		for _, g := range p.groups {
			if len(info.groupIDs) == o.maxGroups {
				break
			}
			info.groupIDs = append(info.groupIDs, g.ID)
			if g.Name != "" {
				info.groups = append(info.groups, g.Name)
			}
		}
		if p.next == "" || len(info.groupIDs) == o.maxGroups {
			slices.Sort(info.groups)
			slices.Sort(info.groupIDs)
			return nil
		}
		if !sameOrigin(p.next, o.graph) {
			return errRefused.Because(errors.New("graph groups: the next page is elsewhere"))
		}
		next = p.next
	}
	return errRefused.Because(errors.New("graph groups: too many pages"))
}

// groupPage is one page of memberOf.
type groupPage struct {
	groups []group
	next   string
}

type group struct {
	Type string `json:"@odata.type"`
	ID   string `json:"id"`
	Name string `json:"displayName"`
}

// readGroupPage keeps the groups: people are members of roles and administrative
// units, too.
func readGroupPage(raw []byte) (groupPage, error) {
	var doc struct {
		Value []group `json:"value"`
		Next  string  `json:"@odata.nextLink"`
	}
	if err := jsonv2.Unmarshal(raw, &doc); err != nil {
		return groupPage{}, errors.New("graph groups: not a list")
	}
	p := groupPage{next: doc.Next}
	for _, g := range doc.Value {
		if g.ID != "" && (g.Type == "" || g.Type == "#microsoft.graph.group") {
			p.groups = append(p.groups, g)
		}
	}
	return p, nil
}

func sameOrigin(a, b string) bool {
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && x.Scheme == y.Scheme && x.Host == y.Host && x.User == nil
}

// textsValue is a JSON array of texts.
func textsValue(list []string) profile.Value {
	if list == nil {
		list = []string{}
	}
	b, err := jsonv2.Marshal(list)
	if err != nil {
		return nil // not UTF-8: nothing that could be shown to anybody
	}
	return profile.Value(b)
}
