// Buffer as far as scripts use it: making, joining, comparing, turning into text.
class Buffer extends Uint8Array {
  // new Buffer(text, encoding) is what scripts of old have.
  constructor(first, second, third) {
    if (typeof first === 'string') super(decode(first, second));
    else super(first, second, third);
  }
  static from(value, encoding, length) {
    if (typeof value === 'string') return Buffer.#view(decode(value, encoding));
    if (value instanceof ArrayBuffer) return new Buffer(value, encoding, length);
    if (value && value.type === 'Buffer' && Array.isArray(value.data)) value = value.data;
    if (value === null || typeof value !== 'object') throw new TypeError('The first argument must be a string, a Buffer, an ArrayBuffer or an array.');
    return Buffer.#view(Uint8Array.from(value));
  }
  static #view(bytes) {
    return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  static alloc(size, fill, encoding) {
    const b = new Buffer(size);
    return fill === undefined ? b : b.fill(fill, 0, size, encoding);
  }
  static allocUnsafe(size) { return new Buffer(size); }
  static isBuffer(value) { return value instanceof Buffer; }
  static isEncoding(name) { return encodings.has(String(name).toLowerCase()); }
  static byteLength(value, encoding) { return typeof value === 'string' ? decode(value, encoding).length : value.byteLength; }
  static concat(list, total) {
    const length = total === undefined ? list.reduce((n, b) => n + b.length, 0) : total;
    const out = new Buffer(length);
    let at = 0;
    for (const b of list) {
      if (at >= length) break;
      out.set(at + b.length > length ? b.subarray(0, length - at) : b, at);
      at += b.length;
    }
    return out;
  }
  static compare(a, b) { return a.compare(b); }
  toString(encoding, start = 0, end = this.length) {
    return encode(start === 0 && end >= this.length ? this : this.subarray(start, end), encoding);
  }
  toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
  equals(other) { return this.compare(other) === 0; }
  compare(other) {
    const n = Math.min(this.length, other.length);
    for (let i = 0; i < n; i++) if (this[i] !== other[i]) return this[i] < other[i] ? -1 : 1;
    return Math.sign(this.length - other.length);
  }
  slice(start, end) { return this.subarray(start, end); }
  write(text, offset = 0, encoding) {
    const bytes = decode(text, encoding).subarray(0, this.length - offset);
    this.set(bytes, offset);
    return bytes.length;
  }
  fill(value, start, end, encoding) {
    if (typeof value !== 'string') return super.fill(value, start, end);
    const bytes = decode(value, encoding);
    const from = start || 0, to = end === undefined ? this.length : end;
    for (let i = from; i < to && bytes.length > 0; i++) this[i] = bytes[(i - from) % bytes.length];
    return this;
  }
  copy(target, at = 0, start = 0, end = this.length) {
    const part = this.subarray(start, Math.min(end, start + target.length - at));
    target.set(part, at);
    return part.length;
  }
  indexOf(value, from = 0, encoding) {
    if (typeof value === 'number') return super.indexOf(value & 255, from);
    const bytes = bytesOf(value, typeof from === 'string' ? from : encoding);
    const start = typeof from === 'number' ? (from < 0 ? Math.max(0, this.length + from) : from) : 0;
    for (let i = start; i + bytes.length <= this.length; i++) {
      let n = 0;
      while (n < bytes.length && this[i + n] === bytes[n]) n++;
      if (n === bytes.length) return i;
    }
    return -1;
  }
  includes(value, from, encoding) { return this.indexOf(value, from, encoding) >= 0; }
}

// readUInt16LE, writeBigInt64BE, … are DataView's by another name.
for (const [kind, method, size] of [
  ['UInt8', 'Uint8', 1], ['Int8', 'Int8', 1], ['UInt16', 'Uint16', 2], ['Int16', 'Int16', 2], ['UInt32', 'Uint32', 4], ['Int32', 'Int32', 4],
  ['BigUInt64', 'BigUint64', 8], ['BigInt64', 'BigInt64', 8], ['Float', 'Float32', 4], ['Double', 'Float64', 8],
]) {
  for (const order of size === 1 ? [''] : ['LE', 'BE']) {
    const view = (b) => new DataView(b.buffer, b.byteOffset, b.byteLength);
    const little = order === 'LE';
    const methods = {
      ['read' + kind + order](at = 0) { return view(this)['get' + method](at, little); },
      ['write' + kind + order](v, at = 0) { view(this)['set' + method](at, v, little); return at + size; },
    };
    for (const name of Object.keys(methods)) {
      defineProperty(Buffer.prototype, name, { value: methods[name], writable: true, configurable: true });
      const alias = name.replace('UInt', 'Uint');
      if (alias !== name) defineProperty(Buffer.prototype, alias, { value: methods[name], writable: true, configurable: true });
    }
  }
}

const encodings = new Set(['utf8', 'utf-8', 'hex', 'base64', 'base64url', 'latin1', 'binary', 'ascii', 'ucs2', 'ucs-2', 'utf16le', 'utf-16le']);

function unknownEncoding(name) {
  const e = new TypeError('Unknown encoding: ' + name);
  e.code = 'ERR_UNKNOWN_ENCODING';
  return e;
}

function decode(text, encoding) {
  switch (String(encoding || 'utf8').toLowerCase()) {
    case 'utf8': case 'utf-8':
      return utf8(text);
    case 'hex':
      return Uint8Array.fromHex(/^(?:[0-9a-f]{2})*/i.exec(text)[0]);
    case 'base64': case 'base64url': {
      let s = text.split('=')[0].replace(/-/g, '+').replace(/_/g, '/').replace(/[^A-Za-z0-9+/]/g, '');
      if (s.length % 4 === 1) s = s.slice(0, -1);
      return Uint8Array.fromBase64(s);
    }
    case 'latin1': case 'binary': case 'ascii': {
      const out = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
      return out;
    }
    case 'ucs2': case 'ucs-2': case 'utf16le': case 'utf-16le': {
      const out = new DataView(new ArrayBuffer(text.length * 2));
      for (let i = 0; i < text.length; i++) out.setUint16(2 * i, text.charCodeAt(i), true);
      return new Uint8Array(out.buffer);
    }
  }
  throw unknownEncoding(encoding);
}

function encode(bytes, encoding) {
  switch (String(encoding || 'utf8').toLowerCase()) {
    case 'utf8': case 'utf-8': return fromUTF8(bytes);
    case 'hex': return bytes.toHex();
    case 'base64': return bytes.toBase64();
    case 'base64url': return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
    case 'latin1': case 'binary': return chars(bytes);
    case 'ascii': return chars(bytes.map((b) => b & 0x7f));
    case 'ucs2': case 'ucs-2': case 'utf16le': case 'utf-16le': {
      let s = '';
      for (let i = 0; i + 1 < bytes.length; i += 2) s += String.fromCharCode(bytes[i] | bytes[i + 1] << 8);
      return s;
    }
  }
  throw unknownEncoding(encoding);
}

function chars(bytes) {
  let s = '';
  for (let i = 0; i < bytes.length; i += 4096) s += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096));
  return s;
}

// bytesOf is what a hash or a request body takes.
function bytesOf(value, encoding) {
  if (typeof value === 'string') return decode(value, encoding);
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError('The data must be a string or a Buffer.');
}

const atob = (text) => chars(decode(String(text), 'base64'));
const btoa = (text) => decode(String(text), 'latin1').toBase64();
class TextEncoder { encode(text = '') { return utf8(text); } }
class TextDecoder { decode(bytes = new Uint8Array()) { return fromUTF8(bytesOf(bytes)); } }
share({ Buffer, decode, encode, chars, bytesOf, atob, btoa, TextEncoder, TextDecoder });
define('buffer', () => ({ Buffer }));
