// The way in from Go: run once, then an event at a time.
let settled = false;

function settle(outcome) {
  if (settled) return;
  settled = true;
  host('settle', outcome);
}

const console = {};
for (const [name, level] of [['log', 'info'], ['info', 'info'], ['debug', 'debug'], ['trace', 'debug'], ['dir', 'info'], ['warn', 'warn'], ['error', 'error']]) {
  console[name] = (...args) => host('log', level, args.length ? need('formatted')(...args) : '');
}
console.assert = (ok, ...args) => { if (!ok) console.error('Assertion failed', ...args); };
for (const name of ['time', 'timeEnd', 'timeLog', 'group', 'groupEnd', 'table', 'count']) console[name] = () => {};
global('console', console);

// The error classes of action scripts (reference/connections.md §5.2). They can be
// called without new, and extended; whoever extends one means it.
const classes = [
  ['WrongUsernameOrPasswordError', 'user_id'],
  ['ValidationError', 'code'],
  ['UnauthorizedError'],
].map(([name, parameter]) => {
  const made = function (first, message) {
    const e = Reflect.construct(Error, [parameter ? message : first], new.target || made);
    if (parameter) defineProperty(e, parameter, { value: first, enumerable: true, writable: true, configurable: true });
    return e;
  };
  defineProperty(made, 'name', { value: name, configurable: true });
  made.prototype = Object.create(Error.prototype, {
    constructor: { value: made, writable: true, configurable: true }, name: { value: name, writable: true, configurable: true },
  });
  Object.setPrototypeOf(made, Error);
  global(name, made);
  return [name, made];
});

const maxMembers = 1500; // of what is kept of an error, about, in bytes of JSON

function answer(value) {
  let text;
  try {
    text = stringify(value);
  } catch (e) {
    return fail(new TypeError('The result cannot be written as JSON: ' + (e && e.message)));
  }
  settle('{"result":' + (text === undefined ? 'null' : text) + '}');
}

function fail(e) {
  const out = { name: '', message: '', stack: '', members: {}, null: e === null };
  try {
    if (e instanceof Error || e !== null && typeof e === 'object') {
      out.name = String(e.name === undefined ? 'Error' : e.name);
      out.message = String(e.message === undefined ? need('wordsOf')(e) : e.message).slice(0, 2000);
      out.stack = typeof e.stack === 'string' ? e.stack.slice(0, 4000) : '';
      for (const [name, made] of classes) if (e instanceof made) out.name = name;
      let size = 0;
      for (const k of Object.keys(e)) {
        const v = e[k];
        if (v !== null && !['string', 'number', 'boolean'].includes(typeof v)) continue;
        const length = stringify([k, v]).length;
        if (size + length > maxMembers) continue;
        size += length;
        defineProperty(out.members, k, { value: v, enumerable: true });
      }
    } else {
      out.message = String(e).slice(0, 2000);
    }
  } catch {
    out.message = 'an error that cannot be read';
  }
  settle('{"error":' + stringify(out) + '}');
}

const AsyncFunction = (async () => {}).constructor;

// pick finds the function that a source is or brings along.
function pick(value, names) {
  if (typeof value === 'function') return value;
  if (typeof module.exports === 'function') return module.exports;
  for (const name of names) {
    if (module.exports && typeof module.exports[name] === 'function') return module.exports[name];
  }
  return undefined;
}

// withMembers is the callback of an old two-argument script, which may take its
// second parameter for the callback or for the context.
function withMembers(callback, context) {
  for (const k of Object.keys(context)) defineProperty(callback, k, { value: context[k], enumerable: true, configurable: true, writable: true });
  return callback;
}

function run(value, call) {
  const fn = pick(value, call.names);
  if (fn === undefined) return settle('{"none":true}');
  const args = call.args;
  const callback = (err, result) => {
    if (err) fail(err);
    else answer(result);
  };
  if (call.fold && fn.length === args.length && !(fn instanceof AsyncFunction)) args.push(withMembers(callback, args.pop()));
  else args.push(callback);
  let returned;
  try {
    returned = fn(...args);
  } catch (e) {
    return fail(e);
  }
  if (returned && typeof returned.then === 'function') {
    returned.then((v) => { if (v !== undefined) answer(v); }, fail);
  }
}

global('module', { exports: {} });
global('exports', module.exports);

function setUp(globals) {
  for (const name of Object.keys(globals)) global(name, Object.freeze(globals[name]));
}

return function enter(what, a, b) {
  switch (what) {
    case 'set': return setUp(parse(a));
    case 'run': return run(a, parse(b));
  }
  try {
    if (what === 'timer') return fire(a);
    if (what === 'soon') return calm();
    const done = waiting.get(a);
    waiting.delete(a);
    if (done) done(unpack(b));
  } catch (e) {
    fail(e);
  }
};
