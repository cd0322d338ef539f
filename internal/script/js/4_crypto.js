// Hashing is done outside, once, when the digest is asked for.
class Hash {
  #parts;
  #op;
  #done = false;
  constructor(op, parts = []) { this.#op = op; this.#parts = parts; }
  update(data, encoding) {
    if (this.#done) throw finished();
    this.#parts.push(Uint8Array.from(bytesOf(data, encoding)));
    return this;
  }
  copy() {
    if (this.#done) throw finished();
    return new Hash(this.#op, [...this.#parts]);
  }
  digest(encoding) {
    if (this.#done) throw finished();
    this.#done = true;
    const b = Buffer.from(this.#op(Buffer.concat(this.#parts).toBase64()), 'base64');
    return written(b, encoding);
  }
}

const written = (b, encoding) => (encoding && encoding !== 'buffer' ? b.toString(encoding) : b);

function finished() {
  const e = new Error('Digest already called');
  e.code = 'ERR_CRYPTO_HASH_FINALIZED';
  return e;
}

// asked is host where node throws an Error of no class.
function asked(...args) {
  try {
    return host(...args);
  } catch (e) {
    throw new Error(e.message);
  }
}

// A cipher gives out what is certain at each step, so that callers can join the parts.
class Cipher {
  #number;
  #decrypt;
  #end = { plain: false };
  #tag;
  #rest = Buffer.alloc(0);
  constructor(algorithm, key, iv, decrypt) {
    this.#decrypt = decrypt;
    this.#number = asked('cipher', stringify({
      algorithm: String(algorithm).toLowerCase(), key: bytesOf(key).toBase64(), iv: iv === null ? '' : bytesOf(iv).toBase64(), decrypt,
    }));
  }
  // Texts of several bytes a character, and Base64, are cut where no part is left over.
  #out(bytes, encoding, last) {
    if (!encoding || encoding === 'buffer') return Buffer.from(bytes);
    const all = Buffer.concat([this.#rest, bytes]);
    const cut = last ? all.length : whole(all, String(encoding).toLowerCase());
    this.#rest = all.subarray(cut);
    return all.subarray(0, cut).toString(encoding);
  }
  update(data, from, to) {
    return this.#out(Buffer.from(asked('cipher.update', this.#number, bytesOf(data, from).toBase64()), 'base64'), to, false);
  }
  final(to) {
    const [out, tag] = asked('cipher.final', this.#number, stringify({ ...this.#end, tag: this.#tag })).split('.');
    if (!this.#decrypt) this.#tag = tag;
    return this.#out(Buffer.from(out, 'base64'), to, true);
  }
  setAutoPadding(on = true) { this.#end.plain = !on; return this; }
  setAAD(data) { this.#end.aad = bytesOf(data).toBase64(); return this; }
  getAuthTag() { return Buffer.from(this.#tag || '', 'base64'); }
  setAuthTag(tag, encoding) { this.#tag = bytesOf(tag, encoding).toBase64(); return this; }
}

function whole(b, encoding) {
  if (/^base64/.test(encoding)) return b.length - b.length % 3;
  if (/^utf-?8$/.test(encoding)) {
    for (let back = 1; back <= Math.min(3, b.length); back++) {
      const c = b[b.length - back];
      if (c >= 0xc0) return (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2) > back ? b.length - back : b.length;
      if (c < 0x80) return b.length;
    }
  }
  return /^(ucs|utf16|utf-16)/.test(encoding) ? b.length - b.length % 2 : b.length;
}

const count = (v, name) => {
  if (typeof v !== 'number') throw wrongType(name, 'number', v);
  if (!Number.isInteger(v) || v < 0 || v > 0x7fffffff) {
    const e = new RangeError('The value of "' + name + '" is out of range. It must be an integer. Received ' + v);
    e.code = 'ERR_OUT_OF_RANGE';
    throw e;
  }
  return v;
};

function wrongType(name, type, v) {
  const e = new TypeError('The "' + name + '" argument must be of type ' + type + '. Received ' + (v === null || v === undefined ? v : 'type ' + typeof v));
  e.code = 'ERR_INVALID_ARG_TYPE';
  return e;
}

const given = (v, name) => {
  if (typeof v === 'string' || v instanceof ArrayBuffer || v instanceof Uint8Array) return bytesOf(v).toBase64();
  throw wrongType(name, 'string or an instance of Buffer', v);
};

function pbkdf2(password, salt, iterations, keylen, digest) {
  if (typeof digest !== 'string') throw wrongType('digest', 'string', digest);
  return { kind: 'pbkdf2', password: given(password, 'password'), salt: given(salt, 'salt'), rounds: count(iterations, 'iterations'), length: count(keylen, 'keylen'), digest };
}

function scrypt(password, salt, keylen, o = {}) {
  const pick = (a, b, otherwise) => count(o[a] !== undefined ? o[a] : o[b] !== undefined ? o[b] : otherwise, a);
  const n = pick('N', 'cost', 16384), r = pick('r', 'blockSize', 8), p = pick('p', 'parallelization', 1);
  const most = o.maxmem === undefined ? 32 * 1024 * 1024 : o.maxmem;
  if (128 * n * r > most) {
    const e = new RangeError('Invalid scrypt params: memory limit exceeded');
    e.code = 'ERR_CRYPTO_INVALID_SCRYPT_PARAMS';
    throw e;
  }
  return { kind: 'scrypt', password: given(password, 'password'), salt: given(salt, 'salt'), length: count(keylen, 'keylen'), n, r, p };
}

const callable = (fn) => {
  if (typeof fn !== 'function') throw wrongType('callback', 'function', fn);
  return fn;
};

const random = (n) => Buffer.from(host('random', n), 'base64');

// randomInt below 2^48, each as likely as the others.
function randomInt(min, max) {
  const range = max - min;
  if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || range <= 0 || range >= 2 ** 48) {
    const e = new RangeError('The value of "max" is out of range.');
    e.code = 'ERR_OUT_OF_RANGE';
    throw e;
  }
  const limit = 2 ** 48 - 2 ** 48 % range;
  for (;;) {
    const n = random(6).reduce((sum, b) => sum * 256 + b, 0);
    if (n < limit) return min + n % range;
  }
}

function uuid() {
  const b = random(16);
  b[6] = b[6] & 0x0f | 0x40;
  b[8] = b[8] & 0x3f | 0x80;
  return b.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

define('crypto', () => ({
  createHash: (alg) => { host('hash', String(alg), ''); return new Hash((data) => host('hash', String(alg), data)); },
  createHmac: (alg, key) => {
    const k = given(key, 'key');
    host('hmac', String(alg), k, '');
    return new Hash((data) => host('hmac', String(alg), k, data));
  },
  getHashes: () => ['md5', 'ripemd160', 'sha1', 'sha224', 'sha256', 'sha3-224', 'sha3-256', 'sha3-384', 'sha3-512', 'sha384', 'sha512', 'sha512-224', 'sha512-256'],
  getCiphers: () => ['128', '192', '256'].flatMap((n) => ['cbc', 'ctr', 'gcm'].map((mode) => 'aes-' + n + '-' + mode)),
  createCipheriv: (algorithm, key, iv) => new Cipher(algorithm, key, iv, false),
  createDecipheriv: (algorithm, key, iv) => new Cipher(algorithm, key, iv, true),
  pbkdf2(password, salt, iterations, keylen, digest, done) { derive(pbkdf2(password, salt, iterations, keylen, digest), callable(done)); },
  pbkdf2Sync: (...args) => deriveNow(pbkdf2(...args)),
  scrypt(password, salt, keylen, options, done) {
    if (typeof options === 'function') [options, done] = [undefined, options];
    derive(scrypt(password, salt, keylen, options), callable(done));
  },
  scryptSync: (...args) => deriveNow(scrypt(...args)),
  randomBytes(n, done) {
    const b = random(count(n, 'size'));
    if (typeof done !== 'function') return b;
    later(done, null, b);
  },
  randomInt(min, max, done) {
    if (max === undefined || typeof max === 'function') [min, max, done] = [0, min, max];
    const n = randomInt(min, max);
    if (typeof done !== 'function') return n;
    later(done, null, n);
  },
  randomUUID: uuid,
  getRandomValues(array) {
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(random(array.byteLength));
    return array;
  },
  timingSafeEqual(a, b) {
    a = bytesOf(a);
    b = bytesOf(b);
    if (a.length !== b.length) {
      const e = new RangeError('Input buffers must have the same byte length');
      e.code = 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH';
      throw e;
    }
    let diff = 0;
    for (let i = 0; i < a.length; i++) diff |= a[i] ^ b[i];
    return diff === 0;
  },
}));

define('uuid', () => {
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
  const nil = '00000000-0000-0000-0000-000000000000';
  return { v4: uuid, validate: (text) => typeof text === 'string' && (shape.test(text) || text === nil), NIL: nil };
});
define('uuid/v4', () => uuid);
