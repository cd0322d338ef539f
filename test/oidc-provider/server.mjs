// An OpenID provider for the tests: a certified library, the accounts and the
// logins under the test's control. It listens on loopback only, keeps nothing,
// and ends when its standard input is closed, so that it never outlives a test.
//
// Environment:
//   PORT            port, 0 or absent for any
//   CLIENT_ID       the one client, default "mangrove"
//   CLIENT_SECRET   its secret, default "mangrove-upstream-secret"
//   REDIRECT_URIS   where it may be sent back to, separated by blanks
//   ACCOUNTS        a JSON file {"<sub>": {<claims>}, …}, optional
//
// The first line on standard output that begins with { says that it is ready:
//   {"issuer":"http://127.0.0.1:4000","client_id":"…","client_secret":"…"}
//
// A login needs no browser: an authorization request with login_hint=<sub> is
// answered at once. Without login_hint there is a form with one field, login,
// that is posted to its own address; the value "deny" refuses. An account whose
// claims have an acr signs in by that; others as acr_values asks.
//
//   POST /test/accounts {"<sub>": {<claims>}, …}   sets the claims of accounts; null removes one
//   GET  /test/accounts                            all accounts
import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const env = (name, fallback) => process.env[name] || fallback;

const client = {
  client_id: env('CLIENT_ID', 'mangrove'),
  client_secret: env('CLIENT_SECRET', 'mangrove-upstream-secret'),
  redirect_uris: env('REDIRECT_URIS', 'http://127.0.0.1/login/callback').split(' '),
  grant_types: ['authorization_code', 'refresh_token'],
};
// After a sign-out it leads to /logout of the same hosts.
client.post_logout_redirect_uris = client.redirect_uris.map((uri) => new URL('/logout', uri).href);

const accounts = new Map(Object.entries(
  process.env.ACCOUNTS ? JSON.parse(readFileSync(process.env.ACCOUNTS, 'utf8')) : {},
));

const scopes = {
  openid: ['sub'],
  email: ['email', 'email_verified'],
  profile: ['name', 'given_name', 'family_name', 'middle_name', 'nickname', 'preferred_username', 'profile',
    'picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at', 'groups'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
  // What brokers of electronic identities send.
  eid: ['ssn', 'socialno', 'cprNumberIdentifier', 'hetu', 'satu', 'uuid', 'uniqueuserid', 'loA', 'ial', 'aal', 'age', 'country',
    'identityscheme', 'authenticationtype', 'nameidentifier', 'certissuer'],
};

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' };
}

const configuration = {
  clients: [client],
  jwks: { keys: [signingKey()] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: scopes,
  scopes: ['openid', 'offline_access', 'email', 'profile', 'address', 'phone', 'eid'],
  // Claims in the ID token too, as most providers do it.
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
  pkce: { required: () => false },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, sub) => (accounts.has(sub)
    ? { accountId: sub, claims: () => ({ sub, ...accounts.get(sub) }) }
    : undefined),
  // Nobody is asked for consent: whatever the client asks for is granted.
  async loadExistingGrant(ctx) {
    const { client: asking, session, provider } = ctx.oidc;
    const grant = new provider.Grant({ clientId: asking.clientId, accountId: session.accountId });
    grant.addOIDCScope(configuration.scopes.join(' '));
    grant.addOIDCClaims(Object.values(scopes).flat());
    await grant.save();
    return grant;
  },
};

async function body(req) {
  let text = '';
  for await (const piece of req) text += piece;
  return text;
}

function answer(res, status, type, text) {
  res.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  res.end(text);
}

async function interaction(provider, req, res) {
  const details = await provider.interactionDetails(req, res);
  const login = req.method === 'POST'
    ? new URLSearchParams(await body(req)).get('login')
    : details.params.login_hint;
  if (!login) {
    answer(res, 200, 'text/html; charset=utf-8',
      '<!doctype html><title>Sign in</title><form method="post"><input name="login" autofocus><button>Sign in</button></form>');
    return;
  }
  const result = accounts.has(login)
    ? { login: { accountId: login, acr: accounts.get(login).acr ?? details.params.acr_values?.split(' ')[0] } }
    : { error: 'access_denied', error_description: 'The account said no, or is not known.' };
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
}

async function testAccounts(req, res) {
  if (req.method === 'POST') {
    for (const [sub, claims] of Object.entries(JSON.parse(await body(req)))) {
      if (claims === null) accounts.delete(sub);
      else accounts.set(sub, claims);
    }
  }
  answer(res, 200, 'application/json', JSON.stringify(Object.fromEntries(accounts)));
}

const server = createServer();
server.listen(Number(env('PORT', '0')), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  const handle = provider.callback();
  server.on('request', (req, res) => {
    const path = new URL(req.url, issuer).pathname;
    let done;
    if (path === '/test/accounts') done = testAccounts(req, res);
    else if (path.startsWith('/interaction/')) done = interaction(provider, req, res);
    else done = handle(req, res);
    Promise.resolve(done).catch((err) => answer(res, 400, 'text/plain', String(err)));
  });
  const { client_id, client_secret } = client;
  console.log(JSON.stringify({ issuer, client_id, client_secret }));
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));
