// The official Node.js SDK as the client of an identity provider: signing up and
// in by its AuthenticationClient, and the settings around it by its
// ManagementClient.
//
// Environment: as drive.mjs. The lines on standard output are those of drive.mjs,
// too; a step that needs what a person is sent prints {"wants":"mail"|"sms"} and
// reads the code as a line of standard input.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { createHmac } from 'node:crypto';
import { ManagementClient } from 'auth0';
import { AuthenticationClient, UserInfoClient } from 'auth0/legacy';

const {
  DOMAIN, CLIENT_ID, CLIENT_SECRET, CONNECTION, APP_ID, APP_SECRET,
} = process.env;

const sdk = new ManagementClient({
  domain: DOMAIN, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, maxRetries: 0, timeoutInSeconds: 30,
});
const app = new AuthenticationClient({ domain: DOMAIN, clientId: APP_ID, clientSecret: APP_SECRET, retry: { enabled: false } });
const people = new UserInfoClient({ domain: DOMAIN, retry: { enabled: false } });

const password = 'Correct horse battery 5';
const have = {}; // what steps leave for those behind them
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function sent(by) {
  console.log(JSON.stringify({ wants: by }));
  return (await lines.next()).value;
}

async function step(name, run) {
  let line;
  try {
    line = { step: name, ok: true, detail: String((await run()) ?? '') };
  } catch (err) {
    line = { step: name, ok: false, detail: `${err.statusCode ?? ''} ${err.stack}`.trim().slice(0, 2000) };
  }
  console.log(JSON.stringify(line));
}

// refused runs what has to be refused with that status, and that error and
// description where the Authentication API is asked.
async function refused(status, run, error, description) {
  try {
    await run();
  } catch (err) {
    assert.equal(err.statusCode, status, err.message);
    if (error) assert.deepEqual([err.error, err.error_description], [error, description]);
    return err;
  }
  return assert.fail(`accepted, should be ${status}`);
}

async function all(page) {
  const list = [];
  for await (const item of page) list.push(item);
  return list;
}

function totp(seed) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...seed].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const sum = createHmac('sha1', key).update(counter).digest();
  return String((sum.readUInt32BE(sum[19] & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
}

// A rotation is to a key that was published before: once there is one, the keys
// that this process keeps are good for all steps.
await step('keys.signing.next', async () => {
  while (!(await sdk.keys.signing.list()).some((k) => k.next)) {
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
});

await step('database.signUp', async () => {
  const { data } = await app.database.signUp({ connection: CONNECTION, email: 'Ida@Example.com', password, given_name: 'Ida', user_metadata: { size: 'm' } });
  assert.match(data.id, /^[0-9a-f]{24}$/);
  assert.equal(data.email, 'ida@example.com');
  assert.equal(data.email_verified, false);
  have.ida = `auth0|${data.id}`;
  await refused(400, () => app.database.signUp({ connection: CONNECTION, email: 'ida@example.com', password }), 'invalid_signup', 'Invalid sign up');
  const weak = await refused(400, () => app.database.signUp({ connection: CONNECTION, email: 'joe@example.com', password: 'short' }));
  assert.equal(weak.error, 'invalid_password');
  assert.equal(JSON.parse(weak.body).policy, '* At least 15 characters in length');
});

await step('database.changePassword', async () => {
  const { data } = await app.database.changePassword({ connection: CONNECTION, email: 'nobody@example.com' });
  assert.equal(data, "We've just sent you an email to reset your password.");
});

await step('oauth.passwordGrant', async () => {
  have.in = (await app.oauth.passwordGrant({ username: 'ida@example.com', password, realm: CONNECTION, scope: 'openid email offline_access' })).data;
  assert.equal(have.in.scope, 'openid email offline_access');
  assert.ok(have.in.id_token && have.in.refresh_token);
  const { data } = await app.oauth.passwordGrant({ username: 'ida@example.com', password });
  assert.equal(data.scope, 'openid profile email address phone');
  await refused(403, () => app.oauth.passwordGrant({ username: 'ida@example.com', password: 'x', realm: CONNECTION }), 'invalid_grant', 'Wrong email or password.');
});

await step('userinfo', async () => {
  const { data } = await people.getUserInfo(have.in.access_token);
  assert.equal(data.sub, have.ida);
  assert.equal(data.email, 'ida@example.com');
  await refused(401, () => people.getUserInfo('nonsense'), 'invalid_token', 'The access token is missing, expired, or not for this endpoint.');
});

await step('oauth.refreshTokenGrant', async () => {
  const { data } = await app.oauth.refreshTokenGrant({ refresh_token: have.in.refresh_token });
  assert.ok(data.access_token && data.id_token);
});

await step('refreshTokens', async () => {
  const [t] = await all(await sdk.users.refreshToken.list(have.ida));
  assert.equal(t.client_id, APP_ID);
  assert.equal((await sdk.refreshTokens.get(t.id)).user_id, have.ida);
  const changed = await sdk.refreshTokens.update(t.id, { refresh_token_metadata: { seat: '12' } });
  assert.equal(changed.refresh_token_metadata.seat, '12');
  const list = await all(await sdk.refreshTokens.list({ user_id: have.ida }));
  assert.deepEqual(list.map((x) => x.id), [t.id]);
  await refused(404, () => sdk.refreshTokens.get('nothing'));
});

await step('oauth.revokeRefreshToken', async () => {
  await app.oauth.revokeRefreshToken({ token: have.in.refresh_token });
  await refused(403, () => app.oauth.refreshTokenGrant({ refresh_token: have.in.refresh_token }), 'invalid_grant', 'Unknown or invalid refresh token.');
  const again = (await app.oauth.passwordGrant({ username: 'ida@example.com', password, realm: CONNECTION, scope: 'openid offline_access' })).data;
  const [t] = await all(await sdk.users.refreshToken.list(have.ida));
  await sdk.refreshTokens.revoke({ ids: [t.id] });
  await refused(403, () => app.oauth.refreshTokenGrant({ refresh_token: again.refresh_token }), 'invalid_grant', 'Unknown or invalid refresh token.');
});

await step('oauth.clientCredentialsGrant', async () => {
  const audience = `https://${DOMAIN}/api/v2/`;
  await refused(403, () => app.oauth.clientCredentialsGrant({ audience: 'https://x' }), 'access_denied', 'Service not enabled within domain: https://x');
  await sdk.clientGrants.create({ client_id: APP_ID, audience, scope: ['read:users'] });
  const { data } = await app.oauth.clientCredentialsGrant({ audience });
  assert.equal(data.scope, 'read:users');
  const limited = new ManagementClient({ domain: DOMAIN, clientId: APP_ID, clientSecret: APP_SECRET, maxRetries: 0 });
  const err = await refused(403, () => limited.users.delete(have.ida));
  assert.equal(err.body.errorCode, 'insufficient_scope');
  assert.match(err.body.message, /^Insufficient scope, expected any of: delete:users/);
});

await step('oauth.pushedAuthorization', async () => {
  const ask = { client_id: APP_ID, response_type: 'code', redirect_uri: 'http://app.example/callback', scope: 'openid' };
  const { data } = await app.oauth.pushedAuthorization(ask);
  assert.match(data.request_uri, /^urn:ietf:params:oauth:request_uri:/);
  assert.equal(data.expires_in, 30);
  await refused(400, () => app.oauth.pushedAuthorization({ ...ask, redirect_uri: 'http://evil.example/' }), 'invalid_request', 'The provided redirect_uri is not in the list of allowed callback URLs.');
});

await step('oauth.authorizationCodeGrant', async () => {
  await refused(403, () => app.oauth.authorizationCodeGrant({ code: 'nonsense', redirect_uri: 'http://app.example/callback' }), 'invalid_grant', 'Invalid authorization code');
});

await step('passwordless.email', async () => {
  await app.passwordless.sendEmail({ email: 'kim@example.com', send: 'code' });
  const code = await sent('mail');
  await refused(403, () => app.passwordless.loginWithEmail({ email: 'kim@example.com', code: 'x' }), 'invalid_grant', 'Wrong email or verification code.');
  const { data } = await app.passwordless.loginWithEmail({ email: 'kim@example.com', code, scope: 'openid' });
  assert.match((await people.getUserInfo(data.access_token)).data.sub, /^email\|/);
});

await step('passwordless.sms', async () => {
  await app.passwordless.sendSMS({ phone_number: '+4790000001' });
  const code = await sent('sms');
  const { data } = await app.passwordless.loginWithSMS({ phone_number: '+4790000001', code, scope: 'openid' });
  assert.match((await people.getUserInfo(data.access_token)).data.sub, /^sms\|/);
  await refused(400, () => app.passwordless.sendSMS({ phone_number: '12' }), 'bad.phone_number', 'String does not match pattern: ^\\+[0-9]{1,15}$');
});

await step('guardian', async () => {
  await sdk.guardian.factors.set('otp', { enabled: true });
  const factors = await sdk.guardian.factors.list();
  assert.deepEqual(factors.filter((f) => f.enabled).map((f) => f.name), ['otp']);
  assert.deepEqual(await sdk.guardian.policies.set(['all-applications']), ['all-applications']);
  assert.deepEqual(await sdk.guardian.policies.list(), ['all-applications']);
  assert.equal((await sdk.guardian.factors.phone.getSelectedProvider()).provider, 'auth0');
  assert.deepEqual((await sdk.guardian.factors.phone.getMessageTypes()).message_types, []);
  await refused(400, () => sdk.guardian.factors.set('duo', { enabled: true }));
});

await step('mfa', async () => {
  const begin = async () => {
    const err = await refused(403, () => app.oauth.passwordGrant({ username: 'ida@example.com', password, realm: CONNECTION }), 'mfa_required', 'Multifactor authentication required');
    return JSON.parse(err.body);
  };
  const first = await begin();
  assert.deepEqual(first.mfa_requirements, { enroll: [{ type: 'otp' }] });
  const post = (path, body, token) => fetch(`https://${DOMAIN}${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }, body: JSON.stringify(body),
  });
  const { secret } = await (await post('/mfa/associate', { authenticator_types: ['otp'] }, first.mfa_token)).json();
  const grant = { grant_type: 'http://auth0.com/oauth/grant-type/mfa-otp', client_id: APP_ID, client_secret: APP_SECRET };
  const res = await post('/oauth/token', { ...grant, mfa_token: first.mfa_token, otp: totp(secret) });
  assert.equal(res.status, 200, await res.clone().text());
  assert.equal(res.headers.get('content-type'), 'application/json');
  assert.deepEqual((await begin()).mfa_requirements, { challenge: [{ type: 'otp' }] });
});

await step('users.authenticationMethods', async () => {
  const methods = sdk.users.authenticationMethods;
  const [otp] = await all(await methods.list(have.ida));
  assert.equal(otp.type, 'totp');
  assert.equal((await methods.get(have.ida, otp.id)).id, otp.id);
  const phone = await methods.create(have.ida, { type: 'phone', name: 'work', phone_number: '+4790000002', preferred_authentication_method: 'sms' });
  assert.equal((await methods.update(have.ida, phone.id, { name: 'home' })).name, 'home');
  await methods.delete(have.ida, phone.id);
  await refused(404, () => methods.get(have.ida, phone.id));
  const set = await methods.set(have.ida, [{ type: 'email', name: 'mail', email: 'ida@example.com' }]);
  assert.deepEqual(set.map((m) => m.type), ['email']);
  await methods.deleteAll(have.ida);
  assert.equal((await all(await methods.list(have.ida))).length, 0);
});

await step('guardian.enrollments', async () => {
  const t = await sdk.guardian.enrollments.createTicket({ user_id: have.ida });
  assert.ok(t.ticket_url.startsWith(`https://${DOMAIN}/`), t.ticket_url);
  assert.equal((await sdk.users.enrollments.get(have.ida)).length, 0);
  const err = await refused(404, () => sdk.guardian.enrollments.get('dev_nothing'));
  assert.deepEqual([err.body.message, err.body.errorCode], ['Enrollment not found', 'enrollment_not_found']);
  await sdk.users.multifactor.invalidateRememberBrowser(have.ida);
  await sdk.guardian.policies.set([]);
});

await step('tenants', async () => {
  const fresh = await sdk.tenants.settings.get();
  assert.equal(fresh.session_lifetime, 168);
  const changed = await sdk.tenants.settings.update({ friendly_name: 'Tides', flags: { revoke_refresh_token_grant: true } });
  assert.equal(changed.friendly_name, 'Tides');
  assert.equal(changed.flags.revoke_refresh_token_grant, true);
  const some = await sdk.tenants.settings.get({ fields: 'friendly_name', include_fields: true });
  assert.deepEqual(some, { friendly_name: 'Tides' });
  await refused(400, () => sdk.tenants.settings.update({ session_lifetime: 'x' }));
});

await step('attackProtection', async () => {
  const ap = sdk.attackProtection;
  assert.deepEqual(await ap.bruteForceProtection.get(), {
    enabled: true, shields: ['block', 'user_notification'], mode: 'count_per_identifier_and_ip', allowlist: [], max_attempts: 10,
  });
  assert.equal((await ap.bruteForceProtection.update({ max_attempts: 5 })).max_attempts, 5);
  assert.equal((await ap.suspiciousIpThrottling.get()).stage['pre-login'].rate, 864000);
  assert.deepEqual((await ap.suspiciousIpThrottling.update({ allowlist: ['203.0.113.0/24'] })).allowlist, ['203.0.113.0/24']);
  assert.equal((await ap.breachedPasswordDetection.get()).enabled, false);
  await refused(400, () => ap.breachedPasswordDetection.update({ enabled: true }));
  assert.equal((await ap.botDetection.get()).challenge_password_policy, 'never');
  assert.equal((await ap.captcha.get()).active_provider_id, 'auth_challenge');
});

await step('userBlocks', async () => {
  for (let i = 0; i < 5; i += 1) {
    await refused(403, () => app.oauth.passwordGrant({ username: 'ida@example.com', password: 'x', realm: CONNECTION }));
  }
  const text = "Your account has been blocked after multiple consecutive login attempts. We've sent you a notification via your preferred contact method with instructions on how to unblock it.";
  await refused(429, () => app.oauth.passwordGrant({ username: 'ida@example.com', password, realm: CONNECTION }), 'too_many_attempts', text);
  const { blocked_for: [block] } = await sdk.userBlocks.list(have.ida);
  assert.equal(block.identifier, 'ida@example.com');
  assert.equal((await sdk.userBlocks.listByIdentifier({ identifier: 'ida@example.com' })).blocked_for.length, 1);
  await sdk.userBlocks.delete(have.ida);
  assert.deepEqual(await sdk.userBlocks.list(have.ida), { blocked_for: [] });
  await app.oauth.passwordGrant({ username: 'ida@example.com', password, realm: CONNECTION });
  await sdk.userBlocks.deleteByIdentifier({ identifier: 'ida@example.com' });
});

await step('anomaly', async () => {
  const err = await refused(404, () => sdk.anomaly.blocks.checkIp('203.0.113.4'));
  assert.deepEqual(err.body, { statusCode: 404, error: 'Not Found', message: 'Not Found' });
  await sdk.anomaly.blocks.unblockIp('203.0.113.4');
});

await step('emails', async () => {
  await sdk.emails.provider.delete();
  await refused(404, () => sdk.emails.provider.get());
  const made = await sdk.emails.provider.create({
    name: 'smtp', default_from_address: 'tides@example.com', credentials: { smtp_host: 'mail.example', smtp_port: 25, smtp_user: 'u', smtp_pass: 'p' },
  });
  assert.equal(made.credentials.smtp_pass, undefined);
  assert.equal((await sdk.emails.provider.update({ enabled: false })).enabled, false);
  assert.equal((await sdk.emails.provider.get()).name, 'smtp');
  await refused(409, () => sdk.emails.provider.create({ name: 'smtp', credentials: { smtp_host: 'mail.example', smtp_port: 25, smtp_user: 'u', smtp_pass: 'p' } }));
  await sdk.emails.provider.delete();
});

await step('emailTemplates', async () => {
  const err = await refused(404, () => sdk.emailTemplates.get('welcome_email'));
  assert.deepEqual([err.body.message, err.body.errorCode], ['The template does not exist.', 'inexistent_email_template']);
  const template = {
    template: 'welcome_email', body: '<p>{{ user.email }}</p>', from: 'a@example.com', subject: 's', syntax: 'liquid', enabled: true,
  };
  await sdk.emailTemplates.create(template);
  await refused(409, () => sdk.emailTemplates.create(template));
  assert.equal((await sdk.emailTemplates.update('welcome_email', { subject: 't' })).subject, 't');
  assert.equal((await sdk.emailTemplates.set('welcome_email', { ...template, enabled: false })).enabled, false);
  assert.equal((await sdk.emailTemplates.get('welcome_email')).body, template.body);
});

await step('branding', async () => {
  assert.equal((await sdk.branding.update({ colors: { primary: '#123456' } })).colors.primary, '#123456');
  assert.equal((await sdk.branding.get()).colors.primary, '#123456');
  assert.equal((await refused(404, () => sdk.branding.themes.getDefault())).body.errorCode, 'theme_not_found');
  await refused(404, () => sdk.branding.templates.getUniversalLogin());
  await sdk.branding.templates.updateUniversalLogin({ template: '{%- auth0:head -%}{%- auth0:widget -%}' });
  assert.match((await sdk.branding.templates.getUniversalLogin()).body, /auth0:widget/);
  await sdk.branding.templates.deleteUniversalLogin();
});

await step('prompts', async () => {
  assert.equal((await sdk.prompts.updateSettings({ identifier_first: false })).identifier_first, false);
  assert.equal((await sdk.prompts.getSettings()).universal_login_experience, 'new');
  await sdk.prompts.customText.set('login', 'en', { login: { title: 'Hello' } });
  assert.deepEqual(await sdk.prompts.customText.get('login', 'en'), { login: { title: 'Hello' } });
  assert.deepEqual(await sdk.prompts.partials.get('login'), {});
});

await step('keys.signing', async () => {
  const [current] = (await sdk.keys.signing.list()).filter((k) => k.current);
  const next = await sdk.keys.signing.rotate();
  assert.ok(next.kid && next.cert.startsWith('-----BEGIN CERTIFICATE-----'));
  assert.equal((await sdk.keys.signing.get(current.kid)).previous, true);
  await app.oauth.passwordGrant({ username: 'ida@example.com', password, realm: CONNECTION, scope: 'openid' });
});

await step('grants', async () => {
  assert.deepEqual(await all(await sdk.userGrants.list({ user_id: have.ida, include_totals: true })), []);
  await sdk.userGrants.deleteByUserId({ user_id: have.ida });
  await sdk.userGrants.delete('nothing');
});

await step('sessions', async () => {
  await refused(404, () => sdk.sessions.get('nothing'));
  await sdk.users.sessions.delete(have.ida);
});

await step('deviceCredentials', async () => {
  assert.deepEqual(await all(await sdk.deviceCredentials.list({ user_id: have.ida, include_totals: true })), []);
  await sdk.deviceCredentials.delete('nothing');
});

await step('logs', async () => {
  const list = await all(await sdk.users.logs.list(have.ida, { per_page: 100 }));
  const types = new Set(list.map((l) => l.type));
  for (const type of ['ss', 'sepft', 'fp', 'sertft', 'srrt', 'mfar', 'gd_enrollment_complete', 'seotpft', 'limit_wc']) {
    assert.ok(types.has(type), `no ${type} among ${[...types]}`);
  }
});

lines.return();
process.stdin.destroy();
