package factor

import (
	"slices"
	"strings"

	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// told is the letter to the owner of an account that has a new factor.
func told(u *user.User, a Actor, k Kind) []letter.Letter {
	return notice(letter.FactorAdded, u, a, []Kind{k})
}

// toldGone is the letter to the owner of an account that has these factors no more.
func toldGone(u *user.User, a Actor, gone []Factor) []letter.Letter {
	var kinds []Kind
	for i := range gone {
		if gone[i].Confirmed && !slices.Contains(kinds, gone[i].Kind) {
			kinds = append(kinds, gone[i].Kind)
		}
	}
	slices.Sort(kinds) // factors come in the order of their devices, which says nothing
	return notice(letter.FactorRemoved, u, a, kinds)
}

// notice tells the owner of an account, if there is an address, about factors.
func notice(template string, u *user.User, a Actor, kinds []Kind) []letter.Letter {
	to := u.Profile.Text(profile.Email)
	if to == "" || len(kinds) == 0 {
		return nil
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	l := letter.Letter{
		Template: template, To: to, UserID: string(u.ID), ClientID: a.ClientID, Language: a.Language,
		Vars: map[string]string{"factor": strings.Join(names, " ")},
	}
	if len(u.Identities) > 0 {
		l.ConnectionID = u.Primary().ConnectionID
	}
	return []letter.Letter{l}
}
