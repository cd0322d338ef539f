// SAML 2.0 and WS-Federation identity providers for the tests: the libraries samlp
// and wsfed, the people and the settings under the test's control. They listen on
// loopback only, keep nothing, and end when standard input is closed, so that they
// never outlive a test.
//
// Environment:
//   PORT   port, 0 or absent for any
//   KEY    file with the private key, PEM
//   CERT   file with its certificate, PEM
//
// The first line on standard output that begins with { says that it is ready:
//   {"url":"http://127.0.0.1:4000"}
//
//   GET, POST /samlp           single sign-on; the answer goes to the AssertionConsumerServiceURL of the request
//   GET /samlp/begin?sp=…&acs=…&RelayState=…   a login that the provider begins
//   GET /samlp/FederationMetadata/2007-06/FederationMetadata.xml
//   GET /wsfed                 the answer goes to wreply
//   GET /wsfed/FederationMetadata/2007-06/FederationMetadata.xml
//
// Who is not named yet is asked for username and password by a form; the password is
// the name with "pw" behind it. There are no sessions: each login asks.
//
//   POST /test/people   {"<name>": {"<attribute>": ["<value>", …], …}, …}   null removes one; "uid" is the NameID
//   POST /test/settings {…}   options of both libraries: signResponse, signAssertion,
//                             signatureAlgorithm, digestAlgorithm, encryptionCert, …
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(import.meta.url);
const express = require('express');
const samlp = require('samlp');
const wsfed = require('wsfed');

const key = readFileSync(process.env.KEY);
const cert = readFileSync(process.env.CERT);
const people = new Map();
let settings = {};

function Mapper(person) {
  return {
    getClaims: () => person.claims,
    getNameIdentifier: () => ({ nameIdentifier: person.nameID }),
  };
}
const mapper = Object.assign(Mapper, { prototype: { metadata: [] } });

const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

// Asks who it is; what came with the request goes through the form.
function identify(req, res, next) {
  const { username, password, ...rest } = req.body || {};
  if (username === undefined) {
    const hidden = Object.entries(rest)
      .map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`);
    res.send(`<!DOCTYPE html><form method="post" action="${escaped(req.originalUrl)}">${hidden.join('')}
      <input name="username"><input name="password" type="password"><input type="submit" value="Sign in"></form>`);
    return;
  }
  const attributes = people.get(username);
  if (!attributes || password !== `${username}pw`) {
    res.status(403).send('Wrong name or password.');
    return;
  }
  const { uid = [username], ...claims } = attributes;
  req.user = { nameID: uid[0], claims };
  req.body = rest;
  next();
}

function samlLogin(more) {
  return (req, res, next) => samlp.parseRequest(req, {}, (err, asked) => {
    if (err) {
      next(err);
      return;
    }
    const acs = more(req).acs || asked?.assertionConsumerServiceURL;
    samlp.auth({
      issuer: 'urn:mangrove:test:samlp', cert, key, sessionIndex: '_session-1', profileMapper: mapper,
      destination: acs, recipient: acs, getPostURL: (_audience, _doc, _req, cb) => cb(null, acs),
      ...more(req).options, ...settings,
    })(req, res, next);
  });
}

const app = express();
app.use(express.urlencoded({ extended: false, limit: '1mb' }));
app.use(express.json({ limit: '1mb' }));

app.post('/test/people', (req, res) => {
  for (const [name, attributes] of Object.entries(req.body)) {
    if (attributes === null) people.delete(name);
    else people.set(name, attributes);
  }
  res.end();
});
app.post('/test/settings', (req, res) => {
  settings = req.body;
  res.end();
});

const metadataPath = '/FederationMetadata/2007-06/FederationMetadata.xml';
app.get(`/samlp${metadataPath}`, samlp.metadata({
  issuer: 'urn:mangrove:test:samlp', cert, redirectEndpointPath: '/samlp', postEndpointPath: '/samlp', profileMapper: mapper,
}));
app.get(`/wsfed${metadataPath}`, wsfed.metadata({
  issuer: 'urn:mangrove:test:wsfed', cert, endpointPath: '/wsfed', profileMapper: mapper,
}));

app.all('/samlp', identify, samlLogin(() => ({})));
app.all('/samlp/begin', identify, samlLogin((req) => ({
  acs: req.query.acs, options: { audience: req.query.sp },
})));
app.all('/wsfed', identify, (req, res, next) => wsfed.auth({
  issuer: 'urn:mangrove:test:wsfed', cert, key, profileMapper: mapper,
  getPostURL: (_realm, wreply, _req, cb) => cb(null, wreply), ...settings,
})(req, res, next));

const server = createServer(app);
server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` })}\n`);
});
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
