// wordsOf is how a value looks in the console: texts as they are, errors with
// their trace, the rest much like JSON.
function wordsOf(value) {
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
    if (v instanceof RegExp || v[Symbol.toStringTag] === 'URL') return String(v);
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

function formatted(first, ...rest) {
  if (typeof first !== 'string') return [first, ...rest].map(wordsOf).join(' ');
  let i = 0;
  const text = first.replace(/%([sdifjoOc%])/g, (whole, kind) => {
    if (kind === '%') return '%';
    if (i >= rest.length) return whole;
    const v = rest[i++];
    switch (kind) {
      case 's': return typeof v === 'string' ? v : wordsOf(v);
      case 'd': return String(Number(v));
      case 'i': return String(parseInt(v, 10));
      case 'f': return String(parseFloat(v));
      case 'j': return stringify(v);
      case 'c': return '';
      default: return wordsOf(v);
    }
  });
  return [text, ...rest.slice(i).map(wordsOf)].join(' ');
}

share({ wordsOf, formatted });

define('util', () => {
  const custom = Symbol.for('nodejs.util.promisify.custom');
  const needFunction = (fn, name) => {
    if (typeof fn === 'function') return;
    const e = new TypeError('The "' + name + '" argument must be of type function.');
    e.code = 'ERR_INVALID_ARG_TYPE';
    throw e;
  };
  const promisify = (fn) => {
    needFunction(fn, 'original');
    if (fn[custom]) return fn[custom];
    return function (...args) {
      return new Promise((resolve, reject) => fn.call(this, ...args, (err, v) => (err ? reject(err) : resolve(v))));
    };
  };
  promisify.custom = custom;
  const callbackify = (fn) => {
    needFunction(fn, 'original');
    return function (...args) {
      const done = args.pop();
      needFunction(done, 'last argument');
      fn.apply(this, args).then((v) => later(done, null, v), (e) => later(done, e || new Error('rejected without a reason')));
    };
  };
  const inherits = (child, parent) => {
    Object.setPrototypeOf(child.prototype, parent.prototype);
    child.super_ = parent;
  };
  const kind = (v) => Object.prototype.toString.call(v).slice(8, -1);
  const types = { isNativeError: (v) => v instanceof Error, isPromise: (v) => v instanceof Promise, isAsyncFunction: (v) => kind(v) === 'AsyncFunction' };
  for (const name of ['Date', 'RegExp', 'Map', 'Set', 'WeakMap', 'WeakSet', 'ArrayBuffer', 'Uint8Array', 'DataView']) types['is' + name] = (v) => v instanceof globalThis[name];
  types.isTypedArray = (v) => ArrayBuffer.isView(v) && !(v instanceof DataView);
  const same = (a, b) => {
    if (Object.is(a, b)) return true;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (a instanceof Date) return Object.is(a.getTime(), b.getTime());
    if (a instanceof RegExp) return String(a) === String(b);
    if (a instanceof Map || a instanceof Set) return same([...a], [...b]);
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && same(a[k], b[k]));
  };
  const util = {
    promisify, callbackify, inherits, inspect: (v) => (typeof v === 'string' ? "'" + v + "'" : wordsOf(v)), format: formatted, types,
    isDeepStrictEqual: same, deprecate: (fn) => fn, debuglog: () => () => {}, isArray: Array.isArray, TextEncoder, TextDecoder,
    isString: (v) => typeof v === 'string', isNumber: (v) => typeof v === 'number', isFunction: (v) => typeof v === 'function', isBoolean: (v) => typeof v === 'boolean',
    isObject: (v) => v !== null && typeof v === 'object', isNull: (v) => v === null, isUndefined: (v) => v === undefined, isNullOrUndefined: (v) => v === null || v === undefined,
    isDate: types.isDate, isRegExp: types.isRegExp, isError: types.isNativeError, isBuffer: (v) => Buffer.isBuffer(v),
  };
  util.inspect.custom = Symbol.for('nodejs.util.inspect.custom');
  return util;
});

define('events', () => {
  class EventEmitter {
    #on = new Map();
    #add(name, fn, once, first) {
      if (typeof fn !== 'function') {
        const e = new TypeError('The "listener" argument must be of type function.');
        e.code = 'ERR_INVALID_ARG_TYPE';
        throw e;
      }
      const list = this.#on.get(name) || [];
      const one = { fn, once };
      this.#on.set(name, first ? [one, ...list] : [...list, one]);
      return this;
    }
    on(name, fn) { return this.#add(name, fn, false, false); }
    addListener(name, fn) { return this.on(name, fn); }
    once(name, fn) { return this.#add(name, fn, true, false); }
    prependListener(name, fn) { return this.#add(name, fn, false, true); }
    prependOnceListener(name, fn) { return this.#add(name, fn, true, true); }
    #drop(name, one) {
      const left = (this.#on.get(name) || []).filter((other) => other !== one);
      if (left.length > 0) this.#on.set(name, left);
      else this.#on.delete(name);
    }
    off(name, fn) {
      const one = (this.#on.get(name) || []).findLast((other) => other.fn === fn);
      if (one) this.#drop(name, one);
      return this;
    }
    removeListener(name, fn) { return this.off(name, fn); }
    removeAllListeners(name) {
      if (name === undefined) this.#on.clear();
      else this.#on.delete(name);
      return this;
    }
    emit(name, ...args) {
      const list = this.#on.get(name);
      if (!list) {
        if (name !== 'error') return false;
        throw args[0] instanceof Error ? args[0] : new Error('Unhandled error. (' + wordsOf(args[0]) + ')');
      }
      for (const one of list) {
        if (one.once) this.#drop(name, one);
        one.fn.apply(this, args);
      }
      return true;
    }
    listeners(name) { return (this.#on.get(name) || []).map((one) => one.fn); }
    listenerCount(name) { return (this.#on.get(name) || []).length; }
    eventNames() { return [...this.#on.keys()]; }
    setMaxListeners() { return this; }
    getMaxListeners() { return 10; }
    static once(emitter, name) {
      return new Promise((resolve, reject) => {
        const failed = (e) => { emitter.off(name, came); reject(e); };
        const came = (...args) => { emitter.off('error', failed); resolve(args); };
        emitter.once(name, came);
        if (name !== 'error') emitter.once('error', failed);
      });
    }
  }
  EventEmitter.EventEmitter = EventEmitter;
  EventEmitter.default = EventEmitter;
  return EventEmitter;
});

define('path', () => {
  const normalize = (path) => {
    const out = [];
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue;
      if (part === '..' && out.length > 0 && out[out.length - 1] !== '..') out.pop();
      else if (part !== '..' || path[0] !== '/') out.push(part);
    }
    const text = (path[0] === '/' ? '/' : '') + out.join('/') + (path.endsWith('/') && out.length > 0 ? '/' : '');
    return text || (path[0] === '/' ? '/' : '.');
  };
  const basename = (path, end = '') => {
    const name = path.replace(/\/+$/, '').split('/').pop();
    return end && name !== end && name.endsWith(end) ? name.slice(0, -end.length) : name;
  };
  const path = {
    sep: '/', delimiter: ':', normalize, basename,
    join: (...parts) => normalize(parts.filter((p) => p !== '').join('/') || '.'),
    dirname: (p) => { const at = p.replace(/\/+$/, '').lastIndexOf('/'); return at > 0 ? p.slice(0, at) : at === 0 ? '/' : '.'; },
    extname: (p) => { const m = /.(\.[^.]*)$/.exec(basename(p)); return m ? m[1] : ''; },
    isAbsolute: (p) => p[0] === '/',
  };
  path.posix = path;
  return path;
});
