package customdb

import (
	"encoding/json"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// What somebody who tries list is given without asking for a page.
const (
	givenLimit = 10
	maxLimit   = 100
)

// given is what a parameter may be; a text unless said otherwise.
var given = map[string]schema.Property{
	ArgUser:     {Types: schema.Object},
	ArgVerified: {Types: schema.Boolean},
	ArgLimit:    {Types: schema.Integer, Min: 1, Max: maxLimit},
}

// Given is the call of whoever tries an action: args is an object of its parameters,
// by name. All of them are required but those of list. Errors: schema.Error.
func Given(a Action, args json.RawMessage) (Call, error) {
	form := schema.Property{Types: schema.Object, Closed: true}
	for _, name := range a.Parameters() {
		p, ok := given[name]
		if !ok {
			p.Types = schema.String
		}
		p.Name = name
		form.Members = append(form.Members, p)
		if a != List {
			form.Required = append(form.Required, name)
		}
	}
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	if wrong := form.Check("args", args); len(wrong) > 0 {
		return Call{}, schema.Error(wrong)
	}
	d := strictjson.ParseDocument(args)
	if a == List {
		limit, ok := d.Number(ArgLimit)
		if !ok {
			limit = givenLimit
		}
		return Page(d.Text(ArgAfter), limit), nil
	}
	c := Call{Action: a}
	for _, name := range a.Parameters() {
		v := d[name]
		if given[name].Types == 0 {
			v = profile.Text(d.Text(name))
		}
		c.Args = append(c.Args, Arg{name, v})
	}
	return c, nil
}
