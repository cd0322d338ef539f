// jsonwebtoken with keys that both sides have: HS256, HS384 and HS512.
define('jsonwebtoken', () => {
  const crypto = load('crypto');
  const errors = {};
  for (const [name, parent] of [['JsonWebTokenError', Error], ['TokenExpiredError', 'JsonWebTokenError'], ['NotBeforeError', 'JsonWebTokenError']]) {
    errors[name] = class extends (errors[parent] || parent) {
      constructor(message, more) {
        super(message);
        defineProperty(this, 'name', { value: name, configurable: true, writable: true });
        Object.assign(this, more);
      }
    };
    defineProperty(errors[name], 'name', { value: name });
  }
  const wrong = (message) => new errors.JsonWebTokenError(message);
  const digests = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };
  const unsigned = (alg) => new Error('jsonwebtoken has the algorithms HS256, HS384 and HS512 in scripts here, not ' + alg);

  // A key of RSA is no secret, and a signature with it as one would prove nothing.
  const signature = (text, key, alg) => {
    const bytes = bytesOf(key);
    if (/^\s*-----BEGIN /.test(fromUTF8(bytes.subarray(0, 100)))) throw wrong('secretOrKey must be a secret: keys in PEM are of algorithms that are not available in scripts here');
    return crypto.createHmac(digests[alg], bytes).update(text).digest('base64url');
  };
  const seconds = (span, name) => {
    if (typeof span === 'number') return span;
    const m = /^\s*(-?\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(span);
    const unit = m && { '': 0.001, ms: 0.001, s: 1, sec: 1, second: 1, m: 60, min: 60, minute: 60, h: 3600, hr: 3600, hour: 3600, d: 86400, day: 86400, w: 604800, week: 604800, y: 31557600, year: 31557600 }[m[2].toLowerCase().replace(/(..)s$/, '$1')];
    if (!unit) throw new Error('"' + name + '" should be a number of seconds or string representing a timespan');
    return Math.floor(Number(m[1]) * unit);
  };
  const now = () => Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(typeof value === 'string' ? value : stringify(value)).toString('base64url');
  const has = (list, value) => [].concat(list).some((one) => (one instanceof RegExp ? one.test(value) : one === value));

  const decode = (token, options) => {
    const parts = String(token).split('.');
    if (parts.length !== 3) return null;
    let header, payload;
    try {
      header = parse(Buffer.from(parts[0], 'base64').toString());
      payload = Buffer.from(parts[1], 'base64').toString();
    } catch {
      return null;
    }
    try { payload = parse(payload); } catch { /* a text */ }
    return options && options.complete ? { header, payload, signature: parts[2] } : payload;
  };

  const sign = (payload, key, o) => {
    if (!key) throw new Error('secretOrPrivateKey must have a value');
    const alg = o.algorithm || 'HS256';
    if (!Object.hasOwn(digests, alg)) throw unsigned(alg);
    let claims = payload;
    if (typeof payload === 'object' && !(payload instanceof Uint8Array)) {
      claims = { ...payload };
      const at = claims.iat === undefined ? now() : claims.iat;
      if (!o.noTimestamp) claims.iat = at;
      if (o.expiresIn !== undefined) claims.exp = at + seconds(o.expiresIn, 'expiresIn');
      if (o.notBefore !== undefined) claims.nbf = at + seconds(o.notBefore, 'notBefore');
      for (const [name, claim] of [['audience', 'aud'], ['issuer', 'iss'], ['subject', 'sub'], ['jwtid', 'jti']]) if (o[name] !== undefined) claims[claim] = o[name];
    } else if (payload instanceof Uint8Array) {
      claims = fromUTF8(payload);
    }
    const text = encode({ alg, ...(typeof claims === 'object' && { typ: 'JWT' }), ...(o.keyid !== undefined && { kid: o.keyid }), ...o.header }) + '.' + encode(claims);
    return text + '.' + signature(text, key, alg);
  };

  const verify = (token, key, o) => {
    if (!token) throw wrong('jwt must be provided');
    if (typeof token !== 'string') throw wrong('jwt must be a string');
    const parts = token.split('.');
    if (parts.length !== 3) throw wrong('jwt malformed');
    const all = decode(token, { complete: true });
    if (!all || all.header === null || typeof all.header !== 'object') throw wrong('invalid token');
    const { header } = all;
    const payload = all.payload !== null && typeof all.payload === 'object' ? all.payload : {};
    if (!key) throw wrong('secret or public key must be provided');
    if (parts[2] === '') throw wrong('jwt signature is required');
    if (o.algorithms && !o.algorithms.includes(header.alg)) throw wrong('invalid algorithm');
    if (!Object.hasOwn(digests, header.alg)) throw unsigned(String(header.alg));
    const want = Buffer.from(signature(parts[0] + '.' + parts[1], key, header.alg)), got = Buffer.from(parts[2]);
    if (want.length !== got.length || !crypto.timingSafeEqual(want, got)) throw wrong('invalid signature');
    const at = o.clockTimestamp || now(), late = o.clockTolerance || 0;
    if (payload.nbf !== undefined && !o.ignoreNotBefore) {
      if (typeof payload.nbf !== 'number') throw wrong('invalid nbf value');
      if (payload.nbf > at + late) throw new errors.NotBeforeError('jwt not active', { date: new Date(payload.nbf * 1000) });
    }
    if (payload.exp !== undefined && !o.ignoreExpiration) {
      if (typeof payload.exp !== 'number') throw wrong('invalid exp value');
      if (at >= payload.exp + late) throw new errors.TokenExpiredError('jwt expired', { expiredAt: new Date(payload.exp * 1000) });
    }
    if (o.audience && ![].concat(payload.aud).some((one) => has(o.audience, one))) throw wrong('jwt audience invalid. expected: ' + [].concat(o.audience).join(' or '));
    if (o.issuer && !has(o.issuer, payload.iss)) throw wrong('jwt issuer invalid. expected: ' + o.issuer);
    if (o.subject && payload.sub !== o.subject) throw wrong('jwt subject invalid. expected: ' + o.subject);
    if (o.jwtid && payload.jti !== o.jwtid) throw wrong('jwt jwtid invalid. expected: ' + o.jwtid);
    if (o.maxAge !== undefined) {
      if (typeof payload.iat !== 'number') throw wrong('iat required when maxAge is specified');
      const end = payload.iat + seconds(o.maxAge, 'maxAge');
      if (at >= end + late) throw new errors.TokenExpiredError('maxAge exceeded', { expiredAt: new Date(end * 1000) });
    }
    return o.complete ? all : all.payload;
  };

  // Either tells a callback, where there is one; a key may be found by a function then.
  const either = (work) => (what, key, options, done) => {
    if (typeof options === 'function') [options, done] = [undefined, options];
    if (typeof done !== 'function') return work(what, key, options || {});
    const tell = (err, found) => {
      let made;
      try {
        if (err) throw wrong('error in secret or public key callback: ' + err.message);
        made = work(what, found, options || {});
      } catch (e) {
        return later(done, e);
      }
      later(done, null, made);
    };
    if (typeof key !== 'function') return tell(null, key);
    const all = decode(what, { complete: true });
    key(all ? all.header : {}, tell);
    return undefined;
  };
  return { decode, sign: either(sign), verify: either(verify), ...errors };
});
