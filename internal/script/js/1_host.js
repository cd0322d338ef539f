// What the other files stand on. host(op, …) is Go (host.go); the script never sees it.
const host = globalThis.__host;
delete globalThis.__host;
const { stringify, parse } = JSON;
const defineProperty = Object.defineProperty;

const modules = Object.create(null);
const loaded = Object.create(null);

// define gives a module its name; it is made when somebody asks for it.
function define(name, make) {
  modules[name] = make;
}

function load(name) {
  if (!(name in loaded)) loaded[name] = modules[name]();
  return loaded[name];
}

// require knows names with a version behind them, since scripts pin versions.
// It is no arrow function: `new require('oauth').OAuth` is in public templates.
function require(name) {
  const text = String(name);
  const known = text.replace(/^node:/, '').replace(/(.)@[^/]*$/, '$1');
  if (known in modules) return load(known);
  const e = new Error("Cannot find module '" + text + "'. Scripts here can require: " + Object.keys(modules).sort().join(', ') + '.');
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

global('setTimeout', (fn, ms, ...args) => arm(false, fn, ms, args));
global('setInterval', (fn, ms, ...args) => arm(true, fn, ms, args));
global('setImmediate', (fn, ...args) => arm(false, fn, 0, args));
global('clearTimeout', disarm);
global('clearInterval', disarm);
global('clearImmediate', disarm);
global('queueMicrotask', (fn) => { Promise.resolve().then(fn); });

// What runs outside: Go answers with an event of the same number.
const waiting = new Map();

function outside(op, what, done) {
  const id = ++lastID;
  waiting.set(id, done);
  host(op, id, stringify(what));
}
