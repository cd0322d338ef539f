const queryEscape = (text) => encodeURIComponent(String(text).toWellFormed()).replace(/[!'()~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%20/g, '+');
function queryUnescape(text) {
  text = text.replace(/\+/g, ' ');
  try {
    return decodeURIComponent(text);
  } catch {
    return fromUTF8(decode(text.replace(/%([0-9a-f]{2})/gi, (_, h) => String.fromCharCode(parseInt(h, 16))), 'latin1'));
  }
}

class URLSearchParams {
  #list = [];
  #changed = () => {};
  constructor(init = '', changed) {
    if (changed) this.#changed = changed;
    if (typeof init === 'string') {
      for (const pair of init.replace(/^\?/, '').split('&')) {
        if (pair === '') continue;
        const at = pair.indexOf('=');
        this.#list.push(at < 0 ? [queryUnescape(pair), ''] : [queryUnescape(pair.slice(0, at)), queryUnescape(pair.slice(at + 1))]);
      }
    } else if (init && typeof init[Symbol.iterator] === 'function') {
      for (const [k, v] of init) this.#list.push([String(k), String(v)]);
    } else if (init) {
      for (const k of Object.keys(init)) this.#list.push([k, String(init[k])]);
    }
  }
  get size() { return this.#list.length; }
  append(k, v) { this.#list.push([String(k), String(v)]); this.#changed(this); }
  delete(k) { this.#list = this.#list.filter((p) => p[0] !== String(k)); this.#changed(this); }
  get(k) { const p = this.#list.find((q) => q[0] === String(k)); return p ? p[1] : null; }
  getAll(k) { return this.#list.filter((p) => p[0] === String(k)).map((p) => p[1]); }
  has(k) { return this.#list.some((p) => p[0] === String(k)); }
  set(k, v) {
    const at = this.#list.findIndex((p) => p[0] === String(k));
    if (at < 0) return this.append(k, v);
    this.#list = this.#list.filter((p, i) => i <= at || p[0] !== String(k));
    this.#list[at] = [String(k), String(v)];
    this.#changed(this);
  }
  sort() { this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)); this.#changed(this); }
  forEach(fn, self) { for (const [k, v] of this.#list) fn.call(self, v, k, this); }
  *entries() { yield* this.#list.map((p) => [p[0], p[1]]); }
  *keys() { for (const p of this.#list) yield p[0]; }
  *values() { for (const p of this.#list) yield p[1]; }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return this.#list.map((p) => queryEscape(p[0]) + '=' + queryEscape(p[1])).join('&'); }
}

class URL {
  #parts;
  #params;
  constructor(text, base) { this.#set(String(text), base === undefined ? '' : String(base)); }
  static canParse(text, base) { try { return !!new URL(text, base); } catch { return false; } }
  #set(text, base = '') {
    const found = host('url', text, base);
    if (found === '') {
      const e = new TypeError('Invalid URL');
      e.code = 'ERR_INVALID_URL';
      throw e;
    }
    this.#parts = parse(found);
    this.#params = undefined;
  }
  #with(change) {
    const p = { ...this.#parts, ...change };
    const user = p.username ? p.username + (p.password ? ':' + p.password : '') + '@' : '';
    const port = p.port ? ':' + p.port : '';
    this.#set(p.protocol + '//' + user + p.hostname + port + p.pathname + p.search + p.hash);
  }
  get href() { return this.#parts.href; }
  set href(v) { this.#set(String(v)); }
  get origin() { return this.#parts.origin; }
  get protocol() { return this.#parts.protocol; }
  set protocol(v) { this.#with({ protocol: String(v).replace(/:?$/, ':') }); }
  get username() { return this.#parts.username; }
  set username(v) { this.#with({ username: encodeURIComponent(v) }); }
  get password() { return this.#parts.password; }
  set password(v) { this.#with({ password: encodeURIComponent(v) }); }
  get host() { return this.#parts.host; }
  set host(v) { const [hostname, port = ''] = String(v).split(':'); this.#with({ hostname, port }); }
  get hostname() { return this.#parts.hostname; }
  set hostname(v) { this.#with({ hostname: String(v) }); }
  get port() { return this.#parts.port; }
  set port(v) { this.#with({ port: String(v) }); }
  get pathname() { return this.#parts.pathname; }
  set pathname(v) { this.#with({ pathname: String(v).replace(/^\/?/, '/') }); }
  get search() { return this.#parts.search; }
  set search(v) { this.#with({ search: v ? String(v).replace(/^\??/, '?') : '' }); }
  get hash() { return this.#parts.hash; }
  set hash(v) { this.#with({ hash: v ? String(v).replace(/^#?/, '#') : '' }); }
  get searchParams() {
    if (!this.#params) {
      const params = new URLSearchParams(this.#parts.search, (p) => { this.search = p.toString(); this.#params = params; });
      this.#params = params;
    }
    return this.#params;
  }
  get [Symbol.toStringTag]() { return 'URL'; }
  toString() { return this.href; }
  toJSON() { return this.href; }
}

share({ URL, URLSearchParams });

define('url', () => ({
  URL,
  URLSearchParams,
  parse(text, withQuery) {
    let u;
    try { u = new URL(text); } catch { u = new URL(text, 'http://relative.invalid'); }
    const relative = u.hostname === 'relative.invalid';
    const query = u.search ? u.search.slice(1) : null;
    return {
      href: text, protocol: relative ? null : u.protocol, slashes: relative ? null : true,
      auth: u.username ? decodeURIComponent(u.username) + (u.password ? ':' + decodeURIComponent(u.password) : '') : null,
      host: relative ? null : u.host, hostname: relative ? null : u.hostname, port: u.port || null,
      pathname: u.pathname, path: u.pathname + u.search, search: u.search || null, hash: u.hash || null,
      query: withQuery ? load('querystring').parse(query || '') : query,
    };
  },
  format(o) {
    if (typeof o === 'string' || o instanceof URL) return String(o);
    const query = o.search || (o.query ? '?' + (typeof o.query === 'string' ? o.query : load('querystring').stringify(o.query)) : '');
    const at = o.host || (o.hostname ? o.hostname + (o.port ? ':' + o.port : '') : '');
    return (o.protocol ? o.protocol.replace(/:?$/, ':') : '') + (at ? '//' + at : '') + (o.pathname || '') + query + (o.hash || '');
  },
  resolve(from, to) {
    const nowhere = 'http://relative.invalid';
    const u = new URL(to, new URL(from, nowhere).href);
    return u.origin === nowhere ? u.href.slice(nowhere.length) : u.href;
  },
}));

define('querystring', () => {
  const escape = (text) => encodeURIComponent(String(text).toWellFormed());
  const stringify = (o, sep = '&', eq = '=') =>
    Object.keys(o || {}).flatMap((k) => (Array.isArray(o[k]) ? o[k] : [o[k]]).map((v) => escape(k) + eq + (v === null || v === undefined ? '' : escape(v)))).join(sep);
  const parse = (text, sep = '&', eq = '=') => {
    const out = {};
    for (const pair of String(text).split(sep)) {
      if (pair === '') continue;
      const at = pair.indexOf(eq);
      const k = queryUnescape(at < 0 ? pair : pair.slice(0, at));
      const v = at < 0 ? '' : queryUnescape(pair.slice(at + eq.length));
      const value = !Object.hasOwn(out, k) ? v : [].concat(out[k], v);
      defineProperty(out, k, { value, writable: true, enumerable: true, configurable: true });
    }
    return out;
  };
  return { stringify, parse, encode: stringify, decode: parse, escape, unescape: queryUnescape };
});
