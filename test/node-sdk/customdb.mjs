// The official Node.js SDK as an administrator of custom databases. Environment and
// output are those of drive.mjs.
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

const actions = ['login', 'get_user', 'create', 'verify', 'change_password', 'change_email', 'delete', 'change_username', 'change_phone_number'];
const wanted = {
  enabledDatabaseCustomization: true,
  import_mode: false,
  enable_script_context: true,
  set_user_root_attributes: 'on_each_login',
  customScripts: Object.fromEntries(actions.map((a) => [a, `async function run(a, b, context, callback) {\r\n\t// ${a} "\\n" \u2028\n  callback(null);\n}\n`])),
};
const configuration = { DB_URL: 'postgres://app:sesame@db.example/shop', KEY: 'sesame' };
let made;

await step('customdb.create', async () => {
  made = await sdk.connections.create({ name: 'node-custom', strategy: 'auth0', options: { ...wanted, configuration } });
  for (const [name, v] of Object.entries(wanted)) assert.deepEqual(made.options[name], v, name);
  assert.deepEqual(Object.keys(made.options.configuration).sort(), Object.keys(configuration));
  assert.ok(!JSON.stringify(made).includes('sesame'));
});

await step('customdb.back', async () => {
  const read = await sdk.connections.get(made.id);
  assert.deepEqual(read.options, made.options);
  const back = await sdk.connections.update(made.id, { options: read.options });
  assert.deepEqual(back.options, made.options);
});

await step('customdb.configuration', async () => {
  const { configuration: masks, ...rest } = made.options;
  const changed = await sdk.connections.update(made.id, { options: { ...rest, configuration: { DB_URL: masks.DB_URL, KEY: 'new sesame' } } });
  assert.equal(changed.options.configuration.DB_URL, masks.DB_URL);
  assert.notEqual(changed.options.configuration.KEY, masks.KEY);
  assert.ok(!JSON.stringify(changed).includes('sesame'));
});

await step('customdb.delete', async () => {
  await sdk.connections.delete(made.id);
});
