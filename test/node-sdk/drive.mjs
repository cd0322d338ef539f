// The official Node.js SDK as a client of a running Mangrove: what an
// application does with users, given nothing but a domain and credentials.
//
// Environment:
//   DOMAIN               host:port of the server, which speaks TLS
//   CLIENT_ID, CLIENT_SECRET
//   CONNECTION           name of the database connection
//   NODE_EXTRA_CA_CERTS  the authority of its certificate
//
// Each step prints one line: {"step":"users.create","ok":true,"detail":"…"}.
// Every step runs, also behind one that failed; the exit status is 0 either way,
// since it is the reader who knows which steps there have to be.
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { ManagementClient } from 'auth0';

const { DOMAIN, CLIENT_ID, CLIENT_SECRET, CONNECTION } = process.env;

const sdk = new ManagementClient({
  domain: DOMAIN, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, maxRetries: 0, timeoutInSeconds: 30,
});

const password = 'Correct horse battery 5';
const have = {}; // what steps leave for those behind them

async function step(name, run) {
  let line;
  try {
    line = { step: name, ok: true, detail: String((await run()) ?? '') };
  } catch (err) {
    line = { step: name, ok: false, detail: `${err.statusCode ?? ''} ${err.message}`.trim().slice(0, 2000) };
  }
  console.log(JSON.stringify(line));
}

// refused runs what has to be refused with that status.
async function refused(status, run) {
  try {
    await run();
  } catch (err) {
    assert.equal(err.statusCode, status, err.message);
    return;
  }
  assert.fail(`accepted, should be ${status}`);
}

async function all(page) {
  const list = [];
  for await (const item of page) list.push(item);
  return list;
}

// ended waits for a job.
async function ended(id) {
  for (;;) {
    const job = await sdk.jobs.get(id);
    if (job.status === 'completed' || job.status === 'failed') return job;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

const connectionId = async () => {
  const [c] = await all(await sdk.connections.list({ name: [CONNECTION] }));
  return c.id;
};

await step('users.create', async () => {
  have.ann = await sdk.users.create({
    connection: CONNECTION, email: 'Ann@Example.com', password, name: 'Ann Lee', given_name: 'Ann', family_name: 'Lee',
    user_metadata: { theme: 'dark' }, app_metadata: { plan: 'pro' },
  });
  assert.equal(have.ann.email, 'ann@example.com');
  assert.match(have.ann.user_id, /^auth0\|/);
  have.bob = await sdk.users.create({ connection: CONNECTION, email: 'bob@example.com', password });
  return have.ann.user_id;
});

await step('users.create.conflict', () => refused(409, () => sdk.users.create({ connection: CONNECTION, email: 'ann@example.com', password })));

await step('users.get', async () => {
  const u = await sdk.users.get(have.ann.user_id);
  assert.equal(u.user_metadata.theme, 'dark');
  assert.equal(u.identities[0].connection, CONNECTION);
  const some = await sdk.users.get(have.ann.user_id, { fields: 'email,name', include_fields: true });
  assert.deepEqual(Object.keys(some).sort(), ['email', 'name']);
});

await step('users.update', async () => {
  const u = await sdk.users.update(have.ann.user_id, { nickname: 'annie', user_metadata: { lang: 'en' } });
  assert.equal(u.nickname, 'annie');
  assert.deepEqual(u.user_metadata, { theme: 'dark', lang: 'en' });
});

await step('users.list.q', async () => {
  const page = await sdk.users.list({ q: 'email:"ann@example.com"', search_engine: 'v3', include_totals: true });
  assert.deepEqual(page.data.map((u) => u.user_id), [have.ann.user_id]);
  const byMetadata = await all(await sdk.users.list({ q: 'user_metadata.lang:en AND app_metadata.plan:pro', include_totals: true }));
  assert.deepEqual(byMetadata.map((u) => u.user_id), [have.ann.user_id]);
  const none = await all(await sdk.users.list({ q: 'email:nobody@example.com', include_totals: true }));
  assert.equal(none.length, 0);
});

await step('users.list.include_totals', async () => {
  const page = await sdk.users.list({ per_page: 1, include_totals: true, sort: 'email:1' });
  assert.equal(page.response.total, 2);
  const list = await all(page);
  assert.deepEqual(list.map((u) => u.email), ['ann@example.com', 'bob@example.com']);
});

await step('users.by_email', async () => {
  const list = await sdk.users.listUsersByEmail({ email: 'ann@example.com' });
  assert.deepEqual(list.map((u) => u.user_id), [have.ann.user_id]);
});

await step('identities.link', async () => {
  const list = await sdk.users.identities.link(have.ann.user_id, { provider: 'auth0', user_id: have.bob.user_id.split('|')[1] });
  assert.equal(list.length, 2);
  await refused(404, () => sdk.users.get(have.bob.user_id));
});

await step('identities.unlink', async () => {
  const list = await sdk.users.identities.delete(have.ann.user_id, 'auth0', have.bob.user_id.split('|')[1]);
  assert.equal(list.length, 1);
  assert.equal((await sdk.users.get(have.bob.user_id)).user_id, have.bob.user_id);
});

await step('roles.create', async () => {
  have.role = await sdk.roles.create({ name: 'editor', description: 'edits' });
  assert.match(have.role.id, /^rol_/);
});

await step('roles.assign', async () => {
  await sdk.users.roles.assign(have.ann.user_id, { roles: [have.role.id] });
  const roles = await all(await sdk.users.roles.list(have.ann.user_id));
  assert.deepEqual(roles.map((r) => r.name), ['editor']);
  const users = await all(await sdk.roles.users.list(have.role.id));
  assert.deepEqual(users.map((u) => u.user_id), [have.ann.user_id]);
});

await step('permissions', async () => {
  const api = 'https://orders.example/';
  await sdk.resourceServers.create({ identifier: api, name: 'Orders', scopes: [{ value: 'read:orders' }, { value: 'write:orders' }] });
  const wanted = [{ resource_server_identifier: api, permission_name: 'read:orders' }];
  await sdk.users.permissions.create(have.ann.user_id, { permissions: wanted });
  await sdk.roles.permissions.add(have.role.id, { permissions: [{ ...wanted[0], permission_name: 'write:orders' }] });
  const names = async () => (await all(await sdk.users.permissions.list(have.ann.user_id))).map((p) => p.permission_name).sort();
  assert.deepEqual(await names(), ['read:orders', 'write:orders']);
  await sdk.users.permissions.delete(have.ann.user_id, { permissions: wanted });
  assert.deepEqual(await names(), ['write:orders']);
});

await step('roles.unassign', async () => {
  await sdk.users.roles.delete(have.ann.user_id, { roles: [have.role.id] });
  assert.equal((await all(await sdk.users.roles.list(have.ann.user_id))).length, 0);
  await sdk.roles.delete(have.role.id);
});

await step('jobs.import', async () => {
  const rows = [{ email: 'carl@example.com', name: 'Carl' }, { email: 'dora@example.com', user_metadata: { n: 1 } }, { email: 'broken@' }];
  const job = await sdk.jobs.usersImports.create({
    users: new Blob([JSON.stringify(rows)], { type: 'application/json' }), connection_id: await connectionId(),
    upsert: false, send_completion_email: false,
  });
  assert.equal(job.status, 'pending');
  have.imported = await ended(job.id);
  assert.equal(have.imported.status, 'completed');
  assert.deepEqual(have.imported.summary, { failed: 1, updated: 0, inserted: 2, total: 3 });
});

await step('jobs.errors', async () => {
  const list = await sdk.jobs.errors.get(have.imported.id);
  assert.equal(list.length, 1);
  assert.equal(list[0].user.email, 'broken@');
  assert.equal(list[0].errors[0].code, 'FORMAT');
});

await step('jobs.export', async () => {
  const job = await sdk.jobs.usersExports.create({
    connection_id: await connectionId(), format: 'json', fields: [{ name: 'email' }, { name: 'user_metadata.n', export_as: 'n' }],
  });
  const done = await ended(job.id);
  assert.equal(done.status, 'completed', done.status_details);
  const res = await fetch(done.location);
  assert.equal(res.status, 200);
  const lines = gunzipSync(Buffer.from(await res.arrayBuffer())).toString().trim().split('\n').map((l) => JSON.parse(l));
  const dora = lines.find((u) => u.email === 'dora@example.com');
  assert.equal(dora.n, 1);
  assert.deepEqual(lines.map((u) => u.email).sort(), ['ann@example.com', 'bob@example.com', 'carl@example.com', 'dora@example.com']);
});

await step('jobs.verification_email', async () => {
  const job = await sdk.jobs.verificationEmail.create({ user_id: have.bob.user_id });
  assert.equal(job.type, 'verification_email');
  return (await ended(job.id)).status;
});

await step('tickets.email_verification', async () => {
  const t = await sdk.tickets.verifyEmail({ user_id: have.bob.user_id, result_url: 'https://app.example/done' });
  assert.ok(t.ticket.startsWith(`https://${DOMAIN}/`), t.ticket);
});

await step('tickets.password_change', async () => {
  const t = await sdk.tickets.changePassword({ user_id: have.bob.user_id });
  assert.ok(t.ticket.startsWith(`https://${DOMAIN}/`), t.ticket);
});

await step('user_blocks', async () => {
  assert.deepEqual((await sdk.userBlocks.list(have.ann.user_id)).blocked_for, []);
  assert.deepEqual((await sdk.userBlocks.listByIdentifier({ identifier: 'ann@example.com' })).blocked_for, []);
  await sdk.userBlocks.delete(have.ann.user_id);
});

await step('logs', async () => {
  const page = await sdk.logs.list({ per_page: 10, include_totals: true });
  assert.ok(page.data.length > 0);
  const one = await sdk.logs.get(page.data[0].log_id);
  assert.equal(one.log_id, page.data[0].log_id);
  const own = await all(await sdk.users.logs.list(have.ann.user_id, { per_page: 5 }));
  assert.ok(own.length > 0);
  assert.ok(own.every((l) => l.user_id === have.ann.user_id));
});

await step('sessions', async () => {
  assert.equal((await all(await sdk.users.sessions.list(have.ann.user_id))).length, 0);
  await sdk.users.revokeAccess(have.ann.user_id, {});
});

await step('users.delete', async () => {
  await sdk.users.delete(have.ann.user_id);
  await refused(404, () => sdk.users.get(have.ann.user_id));
});
