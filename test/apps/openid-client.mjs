// openid-client, a certified relying party, that a test drives line by line: a
// command comes in as {"do":"begin","with":["web",{"scope":"openid"}]} on the
// standard input, its answer goes out as {"value":…} or {"error":{"name":…,
// "code":…,"text":…}}. It ends with the standard input. Redirects are the test's
// to follow.
//
// Environment:
//   ISSUER               of the server, which speaks TLS
//   NODE_EXTRA_CA_CERTS  the authority of its certificate
import { createInterface } from 'node:readline';
import * as oidc from 'openid-client';

const issuer = new URL(process.env.ISSUER);
const apps = new Map(); // by name: what is known of an application and its last sign-in
let key; // of private_key_jwt

const authentication = {
  basic: ({ secret }) => oidc.ClientSecretBasic(secret),
  post: ({ secret }) => oidc.ClientSecretPost(secret),
  key: () => oidc.PrivateKeyJwt(key.privateKey),
  none: () => oidc.None(),
};

// kept remembers the tokens of an application and tells what a test looks at.
function kept(app, tokens) {
  app.tokens = { ...app.tokens, ...tokens };
  app.subject = tokens.claims?.()?.sub ?? app.subject;
  return { claims: tokens.claims?.(), scope: tokens.scope, expiresIn: tokens.expires_in, refreshes: !!tokens.refresh_token };
}

const commands = {
  // The public half of a new key, as PEM.
  key: async (name) => {
    const alg = { name, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
    key = await crypto.subtle.generateKey(alg, true, ['sign', 'verify']);
    const der = Buffer.from(await crypto.subtle.exportKey('spki', key.publicKey)).toString('base64');
    return `-----BEGIN PUBLIC KEY-----\n${der.match(/.{1,64}/g).join('\n')}\n-----END PUBLIC KEY-----\n`;
  },
  // One application by either document: how is basic, post, key or none, algorithm oidc or oauth2.
  discover: async (name, { id, secret, how, algorithm, kind }) => {
    const metadata = kind === 'HS256' ? { id_token_signed_response_alg: 'HS256' } : undefined;
    const config = await oidc.discovery(issuer, id, metadata, authentication[how]({ secret }), { algorithm });
    if (kind !== 'HS256') oidc.enableNonRepudiationChecks(config); // the signature is looked at, whatever the channel
    if (kind === 'hybrid') oidc.useCodeIdTokenResponseType(config);
    if (kind === 'implicit') oidc.useIdTokenResponseType(config);
    apps.set(name, { config, kind });
    return config.serverMetadata().issuer;
  },
  begin: async (name, params, pushed) => {
    const app = apps.get(name);
    app.verifier = oidc.randomPKCECodeVerifier();
    app.state = oidc.randomState();
    app.nonce = oidc.randomNonce();
    app.maxAge = params.max_age === undefined ? undefined : Number(params.max_age);
    const all = { ...params, state: app.state, nonce: app.nonce };
    if (app.kind !== 'implicit') {
      all.code_challenge = await oidc.calculatePKCECodeChallenge(app.verifier);
      all.code_challenge_method = 'S256';
    }
    const url = pushed ? await oidc.buildAuthorizationUrlWithPAR(app.config, all) : oidc.buildAuthorizationUrl(app.config, all);
    return { url: url.href, state: app.state };
  },
  // What arrived at the callback: its URL, and the form where one was posted.
  finish: async (name, callback, form) => {
    const app = apps.get(name);
    const arrived = form ? new Request(callback, { method: 'POST', body: new URLSearchParams(form) }) : new URL(callback);
    if (app.kind === 'implicit') {
      return { claims: await oidc.implicitAuthentication(app.config, arrived, app.nonce, { expectedState: app.state }) };
    }
    return kept(app, await oidc.authorizationCodeGrant(app.config, arrived, {
      pkceCodeVerifier: app.verifier, expectedState: app.state, expectedNonce: app.nonce, idTokenExpected: true, maxAge: app.maxAge,
    }));
  },
  userinfo: (name) => {
    const { config, tokens, subject } = apps.get(name);
    return oidc.fetchUserInfo(config, tokens.access_token, subject);
  },
  refresh: async (name, params) => {
    const app = apps.get(name);
    return kept(app, await oidc.refreshTokenGrant(app.config, app.tokens.refresh_token, params));
  },
  revoke: async (name) => {
    const { config, tokens } = apps.get(name);
    await oidc.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
  },
  leave: (name, params) => {
    const { config, tokens } = apps.get(name);
    return oidc.buildEndSessionUrl(config, { ...params, id_token_hint: tokens.id_token }).href;
  },
  machine: async (name, params) => kept(apps.get(name), await oidc.clientCredentialsGrant(apps.get(name).config, params)),
  device: async (name, params) => {
    const app = apps.get(name);
    app.device = await oidc.initiateDeviceAuthorization(app.config, params);
    return { url: app.device.verification_uri_complete, code: app.device.user_code };
  },
  // Asked after the person has agreed: there is nothing to wait for.
  poll: async (name) => {
    const app = apps.get(name);
    return kept(app, await oidc.pollDeviceAuthorizationGrant(app.config, { ...app.device, interval: 0 }));
  },
};

const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, with: args = [] } = JSON.parse(line);
  try {
    const value = await commands[name](...args);
    answer({ value: value ?? null });
  } catch (err) {
    answer({ error: { name: err.name, code: err.error ?? err.code ?? '', text: `${err.message} ${err.error_description ?? ''} ${err.cause?.message ?? ''}`.trim() } });
  }
}
