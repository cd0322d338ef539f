// What the other files stand on. host(op, …) is Go (host.go); the script never sees it.
const host = globalThis.__host;
delete globalThis.__host;
const { stringify, parse } = JSON;
const { defineProperty, hasOwn } = Object;

// What is not here is in files that are read when a script first needs something of
// them (parts.go): index says which file defines a module, and which shares a name with
// the other files.
const made = Object.create(null);
const loaded = Object.create(null);
const shared = Object.create(null);
const read = Object.create(null);

function define(name, make) {
  made[name] = make;
}

function share(names) {
  for (const name of Object.keys(names)) shared[name] = names[name];
}

function open(file) {
  if (read[file]) return;
  host('file', file)[0](kit);
  read[file] = true;
}

function load(name) {
  if (!(name in loaded)) {
    open(index.modules[name]);
    loaded[name] = made[name]();
  }
  return loaded[name];
}

function need(name) {
  if (!(name in shared)) open(index.shares[name]);
  return shared[name];
}

const known = (name) => hasOwn(index.modules, name);

// require knows names with a version behind them, since scripts pin versions.
// It is no arrow function: `new require('oauth').OAuth` is in public templates.
function require(name) {
  const text = String(name);
  if (known(text)) return load(text);
  const plain = text.replace(/^node:/, '').replace(/(.)@[^/]*$/, '$1');
  if (known(plain)) return load(plain);
  const e = new Error("Cannot find module '" + text + "'. Scripts here can require: " + Object.keys(index.modules).sort().join(', ') + '.');
  e.code = 'MODULE_NOT_FOUND';
  throw e;
}

// lazily makes a global of what is costly to make and seldom used.
function lazily(name, make) {
  defineProperty(globalThis, name, {
    configurable: true,
    get() {
      const v = make();
      defineProperty(globalThis, name, { value: v, writable: true, configurable: true });
      return v;
    },
    set(v) {
      defineProperty(globalThis, name, { value: v, writable: true, configurable: true });
    },
  });
}

function global(name, value) {
  defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

// Errors here have their trace from the start.
defineProperty(Error, 'captureStackTrace', {
  value(of) { if (typeof of.stack !== 'string') defineProperty(of, 'stack', { value: new Error().stack, writable: true, configurable: true }); },
  writable: true, configurable: true,
});

global('global', globalThis);
global('require', require);

const utf8 = (text) => Uint8Array.fromBase64(host('utf8', String(text)));
const fromUTF8 = (bytes) => host('text', bytes.toBase64());

// Timers. Go keeps the clock and counts; here is what they call.
const timers = new Map();
let lastID = 0;

function arm(repeat, fn, ms, args) {
  if (typeof fn !== 'function') throw new TypeError('The "callback" argument must be of type function.');
  const id = ++lastID;
  ms = Math.max(1, Math.min(Number(ms) || 0, 0x7fffffff));
  timers.set(id, { fn, args, ms, repeat });
  host('timer', id, ms);
  return { id, ref() { return this; }, unref() { return this; }, hasRef: () => true, [Symbol.toPrimitive]: () => id };
}

function fire(id) {
  const t = timers.get(id);
  if (!t) return;
  if (t.repeat) host('timer', id, t.ms);
  else timers.delete(id);
  t.fn(...t.args);
}

function disarm(timer) {
  const id = typeof timer === 'object' && timer ? timer.id : Number(timer);
  if (timers.delete(id)) host('clear', id);
}

const promised = Symbol.for('nodejs.util.promisify.custom');
const setTimeout = (fn, ms, ...args) => arm(false, fn, ms, args);
const setImmediate = (fn, ...args) => arm(false, fn, 0, args);
setTimeout[promised] = (ms, value) => new Promise((resolve) => { arm(false, resolve, ms, [value]); });
setImmediate[promised] = (value) => new Promise((resolve) => { arm(false, resolve, 0, [value]); });
global('setTimeout', setTimeout);
global('setInterval', (fn, ms, ...args) => arm(true, fn, ms, args));
global('setImmediate', setImmediate);
global('clearTimeout', disarm);
global('clearInterval', disarm);
global('clearImmediate', disarm);
global('queueMicrotask', (fn) => { Promise.resolve().then(fn); });

// What runs outside: Go answers with an event of the same number.
const waiting = new Map();

function outside(op, what, done) {
  abroad(done, op, stringify(what));
}

// later calls fn when what runs now has ended. What it throws fails the run, which
// what a promise calls does not.
let soon = [];

function later(fn, ...args) {
  if (soon.length === 0) host('soon');
  soon.push([fn, args]);
}

function calm() {
  const list = soon;
  soon = [];
  for (let i = 0; i < list.length; i++) {
    try {
      list[i][0](...list[i][1]);
    } catch (e) {
      if (i + 1 < list.length) {
        soon = list.slice(i + 1).concat(soon);
        host('soon');
      }
      throw e;
    }
  }
}

function abroad(done, op, ...args) {
  const id = ++lastID;
  waiting.set(id, done);
  host(op, id, ...args);
}

// pack and unpack are JSON with what JSON has no form for (database.go).
const one = (o, name) => {
  if (o === null || typeof o !== 'object' || !(name in o)) return false;
  const keys = Object.keys(o);
  return keys.length === 1 && keys[0] === name;
};

function pack(value) {
  return stringify(value === undefined ? null : value, function (k, v) {
    const o = this[k];
    if (typeof o === 'bigint') return { $int: String(o) };
    if (o === null || typeof o !== 'object') return v;
    if (o instanceof Uint8Array) return { $bytes: new Uint8Array(o.buffer, o.byteOffset, o.byteLength).toBase64() };
    if (o instanceof Date) return isNaN(o) ? null : { $date: o.getTime() };
    return v;
  });
}

const packed = /"\$(?:bytes|date|int)":/;

function unpack(text) {
  if (!packed.test(text)) return parse(text);
  return parse(text, (k, v) => {
    if (one(v, '$bytes')) return need('Buffer').from(v.$bytes, 'base64');
    if (one(v, '$date')) return new Date(v.$date);
    if (one(v, '$int')) return BigInt(v.$int);
    return v;
  });
}

// heard turns an answer of Go, {ok} or {error: {message, members}}, into what a callback
// gets.
const heard = (done) => (answer) => {
  if (!done) return;
  if (answer.error) done(failed(answer.error));
  else done(null, answer.ok);
};

function failed({ message, members }) {
  const e = new Error(message);
  for (const k of Object.keys(members || {})) defineProperty(e, k, { value: members[k], enumerable: k !== 'name', writable: true, configurable: true });
  return e;
}

// database is a session with a database server, for the modules that look like its
// drivers. Each done gets (error, value); what is asked is done in that order. An
// operation may be asked for before the session is open.
let lastDatabase = 0;

function database(kind, config) {
  const number = ++lastDatabase;
  let closed = false;
  return {
    open(done) { abroad(heard(done), 'db.open', number, kind, pack(config)); },
    do(op, what, done) { abroad(heard(done), 'db.do', number, op, pack(what)); },
    close(done) {
      if (closed) return void (done && later(done, null));
      closed = true;
      abroad(heard(done), 'db.close', number);
    },
  };
}

// either is for functions that take a callback or else return a promise.
function either(done, work) {
  if (typeof done === 'function') {
    work(done);
    return undefined;
  }
  return new Promise((resolve, reject) => work((err, v) => { if (err) reject(err); else resolve(v); }));
}

// The globals that files share.
for (const name of ['Buffer', 'atob', 'btoa', 'TextEncoder', 'TextDecoder', 'URL', 'URLSearchParams', 'fetch', 'Headers', 'Response', 'AbortController', 'AbortSignal']) lazily(name, () => need(name));
for (const name of ['crypto', 'request', 'axios']) lazily(name, () => load(name));

const kit = {
  host, stringify, parse, defineProperty, define, share, load, need, global, utf8, fromUTF8, outside, abroad, later, heard, failed, either, pack, unpack, database,
};
