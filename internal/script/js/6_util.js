// inspect is how a value looks in the console: texts as they are, errors with
// their trace, the rest much like JSON.
function inspect(value) {
  const seen = new Set();
  const show = (v, depth) => {
    switch (typeof v) {
      case 'string': return depth === 0 ? v : stringify(v);
      case 'bigint': return v + 'n';
      case 'function': return '[Function' + (v.name ? ': ' + v.name : '') + ']';
      case 'object': break;
      default: return String(v);
    }
    if (v === null) return 'null';
    if (v instanceof Error) return v.name + ': ' + v.message;
    if (v instanceof Date) return isNaN(v) ? 'Invalid Date' : v.toISOString();
    if (v instanceof RegExp || v instanceof URL) return String(v);
    if (v instanceof Uint8Array) return '<' + v.length + ' bytes>';
    if (seen.has(v)) return '[Circular]';
    if (depth > 4) return Array.isArray(v) ? '[Array]' : '[Object]';
    seen.add(v);
    let out;
    if (Array.isArray(v)) out = v.length ? '[ ' + v.slice(0, 100).map((x) => show(x, depth + 1)).join(', ') + (v.length > 100 ? ', …' : '') + ' ]' : '[]';
    else if (v instanceof Map) out = 'Map ' + show([...v], depth + 1);
    else if (v instanceof Set) out = 'Set ' + show([...v], depth + 1);
    else {
      const keys = Object.keys(v);
      out = keys.length ? '{ ' + keys.slice(0, 100).map((k) => (/^[A-Za-z_$][\w$]*$/.test(k) ? k : stringify(k)) + ': ' + show(v[k], depth + 1)).join(', ') + (keys.length > 100 ? ', …' : '') + ' }' : '{}';
    }
    seen.delete(v);
    return out;
  };
  return show(value, 0);
}

function format(first, ...rest) {
  if (typeof first !== 'string') return [first, ...rest].map(inspect).join(' ');
  let i = 0;
  const text = first.replace(/%([sdifjoOc%])/g, (whole, kind) => {
    if (kind === '%') return '%';
    if (i >= rest.length) return whole;
    const v = rest[i++];
    switch (kind) {
      case 's': return typeof v === 'string' ? v : inspect(v);
      case 'd': return String(Number(v));
      case 'i': return String(parseInt(v, 10));
      case 'f': return String(parseFloat(v));
      case 'j': return stringify(v);
      case 'c': return '';
      default: return inspect(v);
    }
  });
  return [text, ...rest.slice(i).map(inspect)].join(' ');
}

const console = {};
for (const [name, level] of Object.entries({ log: 'info', info: 'info', debug: 'debug', trace: 'debug', dir: 'info', warn: 'warn', error: 'error' })) {
  console[name] = (...args) => host('log', level, args.length ? format(...args) : '');
}
console.assert = (ok, ...args) => { if (!ok) console.error('Assertion failed', ...args); };
for (const name of ['time', 'timeEnd', 'timeLog', 'group', 'groupEnd', 'table', 'count']) console[name] = () => {};
global('console', console);

define('util', () => {
  const promisify = (fn) => (...args) => new Promise((resolve, reject) => fn(...args, (err, v) => (err ? reject(err) : resolve(v))));
  const callbackify = (fn) => (...args) => {
    const done = args.pop();
    fn(...args).then((v) => setTimeout(() => done(null, v)), (e) => setTimeout(() => done(e || new Error('rejected without a reason'))));
  };
  const inherits = (child, parent) => { Object.setPrototypeOf(child.prototype, parent.prototype); child.super_ = parent; };
  return { promisify, callbackify, inherits, inspect, format, isArray: Array.isArray, TextEncoder, TextDecoder };
});
