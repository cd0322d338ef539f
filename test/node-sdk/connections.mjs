// The official Node.js SDK as an administrator of connections: many strategies, their
// clients, keys and status. Environment and output are those of drive.mjs.
import assert from 'node:assert/strict';
import { ManagementClient } from 'auth0';

const { DOMAIN, CLIENT_ID, CLIENT_SECRET } = process.env;

const sdk = new ManagementClient({
  domain: DOMAIN, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, maxRetries: 0, timeoutInSeconds: 30,
});

async function step(name, run) {
  let line;
  try {
    line = { step: name, ok: true, detail: String((await run()) ?? '') };
  } catch (err) {
    line = { step: name, ok: false, detail: `${err.statusCode ?? ''} ${err.message}`.trim().slice(0, 2000) };
  }
  console.log(JSON.stringify(line));
}

async function refused(status, run) {
  try {
    await run();
  } catch (err) {
    assert.equal(err.statusCode, status, err.message);
    return err;
  }
  return assert.fail(`accepted, should be ${status}`);
}

async function all(page) {
  const list = [];
  for await (const item of page) list.push(item);
  return list;
}

const have = {};

const wanted = {
  ad: { tenant_domain: 'corp.example' },
  adfs: { signInEndpoint: 'https://adfs.example/adfs/ls' },
  apple: { client_id: 'id', email: true },
  facebook: { client_id: 'id', client_secret: 's', email: true },
  github: { client_id: 'id', client_secret: 's', read_user: true },
  'google-apps': { client_id: 'id', client_secret: 's', domain: 'corp.example' },
  'google-oauth2': { client_id: 'id', client_secret: 's' },
  line: { client_id: '1234567890', client_secret: 's' },
  oauth2: { client_id: 'id', authorizationURL: 'https://two.example/authorize', tokenURL: 'https://two.example/token' },
  oidc: { client_id: 'id', type: 'back_channel', issuer: 'https://oidc.example', token_endpoint_auth_method: 'private_key_jwt' },
  okta: { client_id: 'id', client_secret: 's', domain: 'corp.invalid' },
  pingfederate: { pingFederateBaseUrl: 'https://ping.example' },
  samlp: { signInEndpoint: 'https://idp.example/sso' },
  waad: { client_id: 'id', client_secret: 's', tenant_domain: 'corp.invalid' },
};

await step('connections.create', async () => {
  for (const [strategy, options] of Object.entries(wanted)) {
    const c = await sdk.connections.create({ name: `node-${strategy}`, strategy, options });
    assert.match(c.id, /^con_[A-Za-z0-9]{16}$/);
    for (const [name, v] of Object.entries(options)) assert.deepEqual(c.options[name], v, `${strategy} ${name}`);
    have[strategy] = c;
  }
  await refused(409, () => sdk.connections.create({ name: 'node-okta', strategy: 'okta', options: {} }));
});

await step('connections.computed', () => {
  assert.equal(have.facebook.options.scope, 'public_profile,email');
  assert.deepEqual(have.github.options.scope, ['read:user']);
  assert.deepEqual(have['google-oauth2'].options.scope, ['email', 'profile']);
  assert.deepEqual(have.line.options.scope, ['openid', 'profile']);
  assert.equal(have.apple.options.scope, 'email');
  assert.equal(have.pingfederate.options.signInEndpoint, 'https://ping.example');
  assert.equal(have.waad.options.identity_api, 'microsoft-identity-platform-v2.0');
  assert.equal(have.okta.display_name, 'node-okta');
});

await step('connections.update', async () => {
  for (const [strategy, c] of Object.entries(have)) {
    const got = await sdk.connections.update(c.id, { options: { ...c.options, set_user_root_attributes: 'on_first_login' } });
    assert.equal(got.options.set_user_root_attributes, 'on_first_login', strategy);
    const back = await sdk.connections.update(c.id, { options: c.options });
    assert.deepEqual(back.options, c.options, strategy);
  }
});

await step('connections.list', async () => {
  const some = await all(await sdk.connections.list({ strategy: ['ad', 'samlp'], fields: 'name', include_fields: true }));
  assert.deepEqual(some.map((c) => c.name).sort(), ['node-ad', 'node-samlp']);
  const paged = await all(await sdk.connections.list({ take: 3 }));
  assert.ok(paged.length > Object.keys(wanted).length);
});

await step('connections.clients', async () => {
  await sdk.connections.clients.update(have.oidc.id, [{ client_id: CLIENT_ID, status: true }]);
  const list = await all(await sdk.connections.clients.get(have.oidc.id));
  assert.deepEqual(list.map((c) => c.client_id), [CLIENT_ID]);
});

await step('connections.keys', async () => {
  const keys = await sdk.connections.keys.get(have.oidc.id);
  assert.deepEqual(keys.map((k) => [k.current, k.next]), [[true, undefined], [undefined, true]]);
  const next = await sdk.connections.keys.rotate(have.oidc.id);
  assert.ok(next.kid);
  await refused(400, () => sdk.connections.keys.rotate(have.samlp.id));
});

await step('connections.status', async () => {
  await refused(404, () => sdk.connections.checkStatus(have.ad.id));
});

await step('connections.delete', async () => {
  for (const c of Object.values(have)) {
    await sdk.connections.delete(c.id);
    await refused(404, () => sdk.connections.get(c.id));
  }
});
