// Package connection is a source of users: a database, passwordless, or an
// upstream identity provider, and the options that rule it.
//
// Owns: strategies (strategy.go), the bodies of POST and PATCH (body.go,
// optionschema.go), options by strategy: defaults, what survives a replacement
// (options.go), the rules between them (rules.go), masked secrets of scripts
// (configuration.go), the facts the profile engine needs (facts.go), the
// password policy (policy.go), the typed options of oidc and okta
// (oidcoptions.go), the keys that prove a connection to its provider (key.go,
// keygenerate.go, keyset.go, keyservice.go), the use cases (service.go), the first
// database (bootstrap.go).
// Does not own: protocol work with upstreams (upstream), SQL (store), wire form (mgmt).
// May import: errs, opt, schema, strictjson, oauth, profile, passwd, audit.
package connection
