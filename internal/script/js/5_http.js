// One way out for all the libraries: send(what, done(error, answer)).
function send(what, done) {
  const body = what.body === undefined || what.body === null ? undefined : bytesOf(what.body).toBase64();
  const headers = [];
  for (const k of Object.keys(what.headers || {})) {
    const v = what.headers[k];
    if (v === undefined || v === null) continue;
    for (const one of Array.isArray(v) ? v : [v]) headers.push([k, String(one)]);
  }
  outside('http', {
    method: String(what.method || 'GET').toUpperCase(), url: String(what.url), headers, body,
    timeout: Number(what.timeout) || 0, follow: what.follow !== false,
  }, (answer) => {
    if (!answer.error) {
      answer.body = Buffer.from(answer.body, 'base64');
      return done(null, answer);
    }
    const e = new Error(answer.error);
    e.code = answer.code;
    done(e);
  });
}

const hasHeader = (headers, name) => Object.keys(headers).some((k) => k.toLowerCase() === name);
const basic = (user, pass) => 'Basic ' + utf8((user || '') + ':' + (pass || '')).toBase64();
const withQuery = (url, query) => (query ? url + (url.includes('?') ? '&' : '?') + query : url);

function defaultHeader(headers, name, value) {
  if (!hasHeader(headers, name)) headers[name] = value;
}

// OAuth 1.0 (RFC 5849), for scripts of oauth1 connections.
const percent = (text) => encodeURIComponent(String(text).toWellFormed()).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

function oauthHeader(method, url, o, form) {
  const mine = {
    oauth_consumer_key: o.consumer_key, oauth_nonce: o.nonce || host('random', 18).replace(/\W/g, 'x'), oauth_signature_method: 'HMAC-SHA1',
    oauth_timestamp: o.timestamp || String(Math.floor(Date.now() / 1000)), oauth_version: '1.0',
  };
  for (const k of ['token', 'verifier', 'callback']) if (o[k]) mine['oauth_' + k] = o[k];
  const u = new URL(url);
  const all = [...Object.entries(mine), ...u.searchParams, ...new URLSearchParams(form || '')];
  const params = all.map(([k, v]) => percent(k) + '=' + percent(v)).sort().join('&');
  const base = [method.toUpperCase(), percent(u.origin + u.pathname), percent(params)].join('&');
  const key = percent(o.consumer_secret || '') + '&' + percent(o.token_secret || '');
  mine.oauth_signature = load('crypto').createHmac('sha1', key).update(base).digest('base64');
  return 'OAuth ' + Object.keys(mine).sort().map((k) => percent(k) + '="' + percent(mine[k]) + '"').join(', ');
}

define('oauth', () => ({
  OAuth: class OAuth {
    constructor(requestURL, accessURL, key, secret) { this.key = key; this.secret = secret; }
    #send(method, url, token, tokenSecret, body, type, done) {
      if (typeof type === 'function') [type, done] = [undefined, type];
      const form = body && typeof body === 'object' ? load('querystring').stringify(body) : body;
      load('request')({
        method, url, body: form, headers: form ? { 'content-type': type || 'application/x-www-form-urlencoded' } : {},
        oauth: { consumer_key: this.key, consumer_secret: this.secret, token, token_secret: tokenSecret },
      }, (err, response, text) => {
        if (err) return done(err);
        if (response.statusCode >= 400) return done({ statusCode: response.statusCode, data: text }, text, response);
        done(null, text, response);
      });
    }
    get(url, token, secret, done) { this.#send('GET', url, token, secret, undefined, done); }
    delete(url, token, secret, done) { this.#send('DELETE', url, token, secret, undefined, done); }
    post(url, token, secret, body, type, done) { this.#send('POST', url, token, secret, body, type, done); }
    put(url, token, secret, body, type, done) { this.#send('PUT', url, token, secret, body, type, done); }
  },
}));

define('request', () => {
  const make = (defaults) => {
    const request = (url, options, done) => {
      if (typeof options === 'function') [options, done] = [undefined, options];
      const o = { ...defaults, ...(typeof url === 'string' ? { url } : url), ...options };
      const chain = new (load('events'))();
      const then = done || o.callback;
      done = (err, response, body) => {
        if (then) then(err, response, body);
        if (err) return void (chain.listenerCount('error') && chain.emit('error', err));
        chain.emit('response', response);
        chain.emit('data', body);
        chain.emit('end');
        chain.emit('complete', response, body);
      };
      let aborted = false;
      // It leaves when the script has said all of it: form and auth may follow.
      later(() => {
        if (aborted) return;
        try {
          leave(o, done);
        } catch (e) {
          done(e);
        }
      });
      return Object.assign(chain, {
        form(form) { o.form = form; return chain; },
        json(json) { o.json = json; return chain; },
        qs(qs) { o.qs = { ...o.qs, ...qs }; return chain; },
        auth(user, pass, _, bearer) { o.auth = bearer === undefined ? { user, pass } : { bearer }; return chain; },
        abort() { aborted = true; },
        end() {},
        pipe() { throw new Error('request.pipe is not available in scripts here'); },
      });
    };
    const leave = (o, done) => {
      for (const name of ['formData', 'multipart']) if (o[name]) throw new Error("request's " + name + ' is not available in scripts here');
      const headers = { ...(defaults && defaults.headers), ...o.headers };
      const method = (o.method || 'GET').toUpperCase();
      let to = (o.baseUrl || '') + String(o.url && o.url.href || o.uri && o.uri.href || o.url || o.uri);
      let body = o.body, form;
      if (o.qs) to = withQuery(to, typeof o.qs === 'string' ? o.qs : load('querystring').stringify(o.qs));
      if (o.form) {
        body = form = typeof o.form === 'string' ? o.form : load('querystring').stringify(o.form);
        defaultHeader(headers, 'content-type', 'application/x-www-form-urlencoded');
      } else if (o.json) {
        if (typeof o.json !== 'boolean') body = stringify(o.json);
        else if (body !== undefined && typeof body !== 'string') body = stringify(body);
        if (body !== undefined) defaultHeader(headers, 'content-type', 'application/json');
        defaultHeader(headers, 'accept', 'application/json');
      }
      const auth = o.auth;
      if (auth) headers.authorization = auth.bearer !== undefined
        ? 'Bearer ' + (typeof auth.bearer === 'function' ? auth.bearer() : auth.bearer)
        : basic(auth.user === undefined ? auth.username : auth.user, auth.pass === undefined ? auth.password : auth.pass);
      if (o.oauth) headers.authorization = oauthHeader(method, to, o.oauth, form);
      send({ method, url: to, headers, body, timeout: o.timeout, follow: o.followRedirect !== false }, (err, answer) => {
        if (err) return done(err);
        let text = o.encoding === null ? answer.body : answer.body.toString(o.encoding);
        if (o.json) try { text = parse(text); } catch { /* as it came */ }
        done(null, {
          statusCode: answer.status, statusMessage: answer.statusText, headers: answer.headers, body: text,
          request: { method, href: answer.url, uri: { href: answer.url } },
        }, text);
      });
    };
    for (const method of ['get', 'head', 'options', 'post', 'put', 'patch', 'delete', 'del']) {
      request[method] = (url, options, done) => {
        if (typeof options === 'function') [options, done] = [undefined, options];
        return request({ ...(typeof url === 'string' ? { url } : url), ...options, method: method === 'del' ? 'DELETE' : method }, done);
      };
    }
    request.defaults = (more) => make({ ...defaults, ...more, headers: { ...(defaults && defaults.headers), ...(more && more.headers) } });
    return request;
  };
  return make();
});

// requestPromised is request as a promise of the body, or of the response where that is
// asked for; a status other than 2xx is an error unless simple is false.
const requestPromised = () => {
  const failure = (name, message, options, more) => defineProperty(Object.assign(new Error(message), { options, ...more }), 'name', { value: name, configurable: true });
  const make = (defaults) => {
    const rp = (url, options) => {
      const o = { ...defaults, ...(typeof url === 'string' ? { url } : url), ...options };
      return new Promise((resolve, reject) => load('request')(o, (err, response, body) => {
        if (err) return reject(failure('RequestError', 'Error: ' + err.message, o, { cause: err, error: err }));
        const { statusCode } = response;
        if (o.simple !== false && (statusCode < 200 || statusCode > 299)) {
          return reject(failure('StatusCodeError', statusCode + ' - ' + stringify(body), o, { statusCode, error: body, response }));
        }
        resolve(o.resolveWithFullResponse ? response : body);
      }));
    };
    for (const method of ['get', 'head', 'options', 'post', 'put', 'patch', 'delete', 'del']) {
      rp[method] = (url, options) => rp({ ...(typeof url === 'string' ? { url } : url), ...options, method: method === 'del' ? 'DELETE' : method });
    }
    rp.defaults = (more) => make({ ...defaults, ...more, headers: { ...(defaults && defaults.headers), ...(more && more.headers) } });
    return rp;
  };
  return make();
};
define('request-promise', requestPromised);
define('request-promise-native', requestPromised);

define('axios', () => {
  class AxiosError extends Error {
    constructor(message, code, config, response) {
      super(message);
      Object.assign(this, { code, isAxiosError: true });
      for (const [k, value] of [['config', config], ['response', response]]) defineProperty(this, k, { value, configurable: true, writable: true });
      this.status = response && response.status;
    }
    get name() { return 'AxiosError'; }
    toJSON() { return { name: this.name, message: this.message, code: this.code, status: this.status }; }
  }
  const make = (defaults) => {
    const before = [], after = [];
    const interceptors = (list) => ({
      use(done, failed) { return list.push([done, failed]) - 1; },
      eject(i) { list[i] = []; },
      clear() { list.length = 0; },
    });
    const axios = (url, config) => {
      const own = { ...(typeof url === 'string' ? { url } : url), ...config };
      const o = { ...axios.defaults, ...own };
      o.headers = { ...flat(axios.defaults.headers, o.method), ...flat(own.headers, o.method) };
      let made = Promise.resolve(o);
      for (const [done, failed] of before.toReversed()) made = made.then(done, failed);
      made = made.then(ask);
      for (const [done, failed] of after) made = made.then(done, failed);
      return made;
    };
    const ask = (o) => {
      const headers = { accept: 'application/json, text/plain, */*', ...o.headers };
      let to = String(o.url || '');
      if (o.baseURL && !/^https?:/i.test(to)) to = o.baseURL.replace(/\/+$/, '') + '/' + to.replace(/^\/+/, '');
      if (o.params) to = withQuery(to, query(o.params));
      let body = o.data;
      if (body instanceof URLSearchParams) {
        body = body.toString();
        defaultHeader(headers, 'content-type', 'application/x-www-form-urlencoded');
      } else if (body !== undefined && body !== null && typeof body !== 'string' && !(body instanceof Uint8Array)) {
        const form = Object.keys(headers).some((k) => k.toLowerCase() === 'content-type' && /form-urlencoded/.test(headers[k]));
        body = form ? query(body) : stringify(body);
        defaultHeader(headers, 'content-type', 'application/json');
      } else if (typeof body === 'string') {
        defaultHeader(headers, 'content-type', 'application/x-www-form-urlencoded');
      }
      if (o.auth) headers.authorization = basic(o.auth.username, o.auth.password);
      return new Promise((resolve, reject) => {
        if (whenAborted(o.signal, () => reject(new AxiosError('canceled', 'ERR_CANCELED', o)))) return;
        send({ method: o.method, url: to, headers, body, timeout: o.timeout, follow: o.maxRedirects !== 0 }, (err, answer) => {
          if (err && err.code === 'ETIMEDOUT' && o.timeout) return reject(new AxiosError('timeout of ' + o.timeout + 'ms exceeded', 'ECONNABORTED', o));
          if (err) return reject(new AxiosError(err.message, err.code, o));
          let data = answer.body;
          if (o.responseType !== 'arraybuffer') {
            data = data.toString();
            if (o.responseType !== 'text') try { data = parse(data); } catch { /* as it came */ }
          }
          const response = { data, status: answer.status, statusText: answer.statusText, headers: answer.headers, config: o, request: {} };
          const good = o.validateStatus === undefined ? answer.status >= 200 && answer.status < 300 : !o.validateStatus || o.validateStatus(answer.status);
          if (good) return resolve(response);
          reject(new AxiosError('Request failed with status code ' + answer.status, answer.status >= 500 ? 'ERR_BAD_RESPONSE' : 'ERR_BAD_REQUEST', o, response));
        });
      });
    };
    // Headers may be in groups: those of all methods, those of one.
    const groups = ['common', 'get', 'delete', 'head', 'options', 'post', 'put', 'patch'];
    const flat = (h, method) => {
      if (!h || !groups.some((g) => h[g] !== null && typeof h[g] === 'object')) return h;
      const plain = Object.fromEntries(Object.entries(h).filter(([k]) => !groups.includes(k)));
      return { ...h.common, ...h[String(method || 'get').toLowerCase()], ...plain };
    };
    const query = (p) => (p instanceof URLSearchParams ? p.toString() : new URLSearchParams(Object.entries(p)
      .flatMap(([k, v]) => (Array.isArray(v) ? v.map((one) => [k + '[]', one]) : [[k, v instanceof Date ? v.toISOString() : v]]))
      .filter(([, v]) => v !== undefined && v !== null)).toString());
    axios.defaults = { ...defaults, headers: { ...Object.fromEntries(groups.map((g) => [g, {}])), ...(defaults && defaults.headers) } };
    axios.interceptors = { request: interceptors(before), response: interceptors(after) };
    axios.request = axios;
    for (const m of ['get', 'delete', 'head', 'options']) axios[m] = (url, config) => axios({ ...config, url, method: m });
    for (const m of ['post', 'put', 'patch']) axios[m] = (url, data, config) => axios({ ...config, url, data, method: m });
    axios.create = (more) => make({ ...axios.defaults, ...more, headers: { ...axios.defaults.headers, ...(more && more.headers) } });
    axios.all = (list) => Promise.all(list);
    axios.spread = (fn) => (list) => fn(...list);
    axios.isCancel = (e) => e instanceof AxiosError && e.code === 'ERR_CANCELED';
    axios.isAxiosError = (e) => e instanceof AxiosError;
    axios.AxiosError = AxiosError;
    axios.default = axios;
    return axios;
  };
  return make();
});

// An abort ends the wait; what was sent stays sent.
const abortion = (name, message) => defineProperty(new Error(message), 'name', { value: name, configurable: true });

class AbortSignal {
  #heard = [];
  aborted = false;
  reason = undefined;
  onabort = null;
  static abort(reason) { return new AbortSignal().#trip(reason); }
  static timeout(ms) {
    const signal = new AbortSignal();
    setTimeout(() => signal.#trip(abortion('TimeoutError', 'The operation was aborted due to timeout')), ms);
    return signal;
  }
  static trip(signal, reason) { signal.#trip(reason); }
  #trip(reason) {
    if (this.aborted) return this;
    this.aborted = true;
    this.reason = reason === undefined ? abortion('AbortError', 'This operation was aborted') : reason;
    const event = { type: 'abort', target: this };
    if (typeof this.onabort === 'function') this.onabort(event);
    for (const fn of this.#heard.splice(0)) fn.call(this, event);
    return this;
  }
  addEventListener(name, fn) { if (name === 'abort' && !this.#heard.includes(fn)) this.#heard.push(fn); }
  removeEventListener(name, fn) { this.#heard = this.#heard.filter((other) => other !== fn); }
  throwIfAborted() { if (this.aborted) throw this.reason; }
}
const { trip } = AbortSignal;
delete AbortSignal.trip;

class AbortController {
  signal = new AbortSignal();
  abort(reason) { trip(this.signal, reason); }
}

// whenAborted reports whether that is so already.
function whenAborted(signal, then) {
  if (signal && !signal.aborted) signal.addEventListener('abort', then);
  else if (signal) then();
  return Boolean(signal) && signal.aborted;
}

class Headers {
  #map = new Map();
  constructor(init) {
    const list = init instanceof Headers ? init.#map : init && typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init || {});
    for (const [k, v] of list) this.append(k, v);
  }
  append(k, v) { k = String(k).toLowerCase(); this.#map.set(k, this.#map.has(k) ? this.#map.get(k) + ', ' + v : String(v)); }
  set(k, v) { this.#map.set(String(k).toLowerCase(), String(v)); }
  get(k) { const v = this.#map.get(String(k).toLowerCase()); return v === undefined ? null : v; }
  has(k) { return this.#map.has(String(k).toLowerCase()); }
  delete(k) { this.#map.delete(String(k).toLowerCase()); }
  forEach(fn) { this.#map.forEach((v, k) => fn(v, k, this)); }
  entries() { return this.#map.entries(); }
  keys() { return this.#map.keys(); }
  values() { return this.#map.values(); }
  [Symbol.iterator]() { return this.#map.entries(); }
}

class Response {
  #body;
  constructor(answer) {
    this.#body = answer.body;
    Object.assign(this, { status: answer.status, statusText: answer.statusText, ok: answer.status >= 200 && answer.status < 300, url: answer.url, bodyUsed: false });
    this.headers = new Headers(answer.headers);
  }
  async #read() {
    if (this.bodyUsed) throw new TypeError('body used already for: ' + this.url);
    this.bodyUsed = true;
    return this.#body;
  }
  async text() { return (await this.#read()).toString(); }
  async json() { return parse(await this.text()); }
  async buffer() { return this.#read(); }
  async arrayBuffer() { return Uint8Array.from(await this.#read()).buffer; }
}

function fetch(url, o = {}) {
  const headers = Object.fromEntries(new Headers(o.headers));
  let body = o.body;
  if (body instanceof URLSearchParams) {
    body = body.toString();
    defaultHeader(headers, 'content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
  } else if (typeof body === 'string') {
    defaultHeader(headers, 'content-type', 'text/plain;charset=UTF-8');
  }
  return new Promise((resolve, reject) => {
    if (whenAborted(o.signal, () => reject(o.signal.reason))) return;
    send({ method: o.method, url, headers, body, timeout: o.timeout, follow: o.redirect !== 'manual' }, (err, answer) => {
      if (!err) return resolve(new Response(answer));
      const e = new TypeError('fetch failed');
      e.cause = err;
      e.code = err.code;
      reject(e);
    });
  });
}

share({ fetch, Headers, Response, AbortController, AbortSignal });
define('node-fetch', () => Object.assign((...args) => fetch(...args), { default: fetch, Headers, Response }));

// https.request and https.get in the style of events.
function wire(scheme) {
  const EventEmitter = load('events');

  class ClientRequest extends EventEmitter {
    #to; #o; #headers; #parts = []; #timeout; #over = false;
    constructor(to, o, done) {
      super();
      [this.#to, this.#o, this.#headers, this.#timeout] = [to, o, { ...o.headers }, o.timeout];
      if (done) this.once('response', done);
    }
    setHeader(k, v) { this.#headers[k] = v; }
    getHeader(k) { return this.#headers[k]; }
    setTimeout(ms, fn) {
      this.#timeout = ms;
      if (fn) this.once('timeout', fn);
      return this;
    }
    destroy(e) {
      if (this.#over) return this;
      this.#over = true;
      e = e || Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      later(() => { if (this.listenerCount('error')) this.emit('error', e); });
      return this;
    }
    abort() { this.destroy(); }
    write(data, encoding) { this.#parts.push(bytesOf(data, encoding)); return true; }
    end(data, encoding) {
      if (data && typeof data !== 'function') this.write(data, encoding);
      // setTimeout may follow.
      later(() => { if (!this.#over) this.#send(); });
      return this;
    }
    #send() {
      if (this.#o.auth) this.#headers.authorization = 'Basic ' + utf8(this.#o.auth).toBase64();
      const body = this.#parts.length ? Buffer.concat(this.#parts) : undefined;
      send({ method: this.#o.method, url: this.#to, headers: this.#headers, body, timeout: this.#timeout, follow: false }, (err, answer) => {
        if (this.#over) return;
        if (err && err.code === 'ETIMEDOUT' && this.#timeout && this.emit('timeout')) return this.destroy();
        this.#over = true;
        if (err) return this.emit('error', err);
        const res = new IncomingMessage(answer);
        this.emit('response', res);
        res.flow();
        this.emit('close');
      });
    }
  }

  class IncomingMessage extends EventEmitter {
    #body; #encoding;
    constructor(answer) {
      super();
      Object.assign(this, { statusCode: answer.status, statusMessage: answer.statusText, headers: answer.headers });
      this.#body = answer.body;
    }
    setEncoding(encoding) { this.#encoding = encoding; return this; }
    #chunk() { return this.#encoding ? this.#body.toString(this.#encoding) : this.#body; }
    resume() { return this; }
    destroy() {}
    flow() {
      if (this.#body.length) this.emit('data', this.#chunk());
      this.emit('end');
      this.emit('close');
    }
    async *[Symbol.asyncIterator]() { yield this.#chunk(); }
  }

  // Agent is there to be made; connections are the server's own.
  class Agent {
    constructor(options) { this.options = { ...options }; }
    destroy() {}
  }

  const request = (url, options, done) => {
    if (typeof options === 'function') [options, done] = [undefined, options];
    const o = { ...(typeof url === 'string' || url instanceof URL ? { url: String(url) } : url), ...options };
    const to = o.url || (o.protocol || scheme) + '//' + (o.hostname || o.host || 'localhost') + (o.port ? ':' + o.port : '') + (o.path || '/');
    return new ClientRequest(to, o, done);
  };
  return { request, get: (...args) => request(...args).end(), Agent, globalAgent: new Agent() };
}

define('https', () => wire('https:'));
define('http', () => wire('http:'));
