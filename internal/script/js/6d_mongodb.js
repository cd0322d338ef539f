// mongodb, as its versions 3 and 4 are used; the client has collection as well, which
// version 2 called a database. Commands are made here; Go sends them (foreigndb/mongodb.go,
// the form of values is in mongovalue.go).
define('mongodb', () => {
  const { EventEmitter } = load('events');
  const { randomBytes } = load('crypto');

  const classes = {};
  for (const [name, parent] of [
    ['MongoError', Error], ['MongoServerError', 'MongoError'], ['MongoNetworkError', 'MongoError'], ['MongoServerSelectionError', 'MongoError'],
    ['MongoParseError', 'MongoError'], ['MongoInvalidArgumentError', 'MongoError'], ['MongoNotConnectedError', 'MongoError'], ['MongoWriteConcernError', 'MongoServerError'],
  ]) {
    classes[name] = class extends (classes[parent] || parent) {
      constructor(message) {
        super(message);
        defineProperty(this, 'name', { value: name, configurable: true, writable: true });
      }
    };
    defineProperty(classes[name], 'name', { value: name });
  }
  const invalid = (message) => new classes.MongoInvalidArgumentError(message);
  const named = (err) => {
    const e = new (classes[err.name] || classes.MongoError)(err.message);
    for (const k of Object.keys(err)) e[k] = err[k];
    return e;
  };

  // ObjectId and its kind can be called without new, as old versions could.
  const pid = randomBytes(5).toString('hex');
  let counter = parseInt(randomBytes(3).toString('hex'), 16);
  function ObjectId(id) {
    if (!(this instanceof ObjectId)) return new ObjectId(id);
    let hex;
    if (id === undefined || id === null || typeof id === 'number') {
      counter = (counter + 1) % 0x1000000;
      const seconds = typeof id === 'number' ? id : Math.floor(Date.now() / 1000);
      hex = seconds.toString(16).padStart(8, '0').slice(-8) + pid + counter.toString(16).padStart(6, '0');
    } else if (id instanceof ObjectId) hex = id.toHexString();
    else if (typeof id === 'string' && /^[0-9a-fA-F]{24}$/.test(id)) hex = id.toLowerCase();
    else if (typeof id === 'string' && id.length === 12 && utf8(id).length === 12) hex = Buffer.from(id).toString('hex');
    else if (id instanceof Uint8Array && id.length === 12) hex = Buffer.from(id).toString('hex');
    else if (typeof id === 'object' && typeof id.toHexString === 'function') return new ObjectId(String(id.toHexString()));
    else throw new TypeError('Argument passed in must be a string of 12 bytes or a string of 24 hex characters or an integer');
    defineProperty(this, 'hex', { value: hex });
  }
  Object.assign(ObjectId.prototype, {
    toHexString() { return this.hex; },
    toString(encoding) { return encoding === undefined || encoding === 'hex' ? this.hex : Buffer.from(this.hex, 'hex').toString(encoding); },
    toJSON() { return this.hex; },
    inspect() { return 'new ObjectId("' + this.hex + '")'; },
    getTimestamp() { return new Date(parseInt(this.hex.slice(0, 8), 16) * 1000); },
    equals(other) {
      if (other === undefined || other === null) return false;
      if (other instanceof ObjectId) return other.hex === this.hex;
      return ObjectId.isValid(other) && new ObjectId(other).hex === this.hex;
    },
  });
  defineProperty(ObjectId.prototype, '_bsontype', { value: 'ObjectID' });
  defineProperty(ObjectId.prototype, 'id', { get() { return Buffer.from(this.hex, 'hex'); } });
  ObjectId.isValid = (id) => {
    if (id === undefined || id === null) return false;
    try {
      new ObjectId(id);
      return true;
    } catch {
      return false;
    }
  };
  ObjectId.createFromHexString = (hex) => {
    if (typeof hex !== 'string' || hex.length !== 24) throw new TypeError('Argument passed in must be a single String of 12 bytes or a string of 24 hex characters');
    return new ObjectId(hex);
  };
  ObjectId.createFromTime = (seconds) => new ObjectId(Math.floor(seconds).toString(16).padStart(8, '0') + '0'.repeat(16));

  class Long {
    constructor(low, high) {
      defineProperty(this, 'big', { value: BigInt.asIntN(64, typeof low === 'bigint' ? low : BigInt(low >>> 0) | BigInt(high | 0) << 32n) });
    }
    static fromNumber(n) { return new Long(BigInt(Math.trunc(n))); }
    static fromInt(n) { return new Long(BigInt(n | 0)); }
    static fromString(s) { return new Long(BigInt(s)); }
    static fromBigInt(n) { return new Long(n); }
    static isLong(v) { return v instanceof Long; }
    toNumber() { return Number(this.big); }
    toInt() { return Number(BigInt.asIntN(32, this.big)); }
    toBigInt() { return this.big; }
    toString() { return String(this.big); }
    toJSON() { return String(this.big); }
    valueOf() { return Number(this.big); }
    equals(other) { return String(other) === String(this.big); }
  }
  class Double {
    constructor(value) { this.value = Number(value); }
    valueOf() { return this.value; }
    toJSON() { return this.value; }
  }
  class Int32 {
    constructor(value) { this.value = Number(value) | 0; }
    valueOf() { return this.value; }
    toJSON() { return this.value; }
  }
  class Decimal128 {
    constructor(text) { defineProperty(this, 'text', { value: String(text) }); }
    static fromString(text) { return new Decimal128(text); }
    toString() { return this.text; }
    toJSON() { return { $numberDecimal: this.text }; }
  }
  class Binary {
    constructor(buffer, subType) {
      this.buffer = Buffer.from(typeof buffer === 'string' ? buffer : bytesOf(buffer));
      this.sub_type = Number(subType) || 0;
      this.position = this.buffer.length;
    }
    value() { return this.buffer; }
    length() { return this.buffer.length; }
    read(at, n) { return this.buffer.subarray(at, at + n); }
    toString(encoding) { return this.buffer.toString(encoding); }
    toJSON() { return this.buffer.toString('base64'); }
  }
  class Timestamp {
    constructor(parts) { this.t = Number(parts && parts.t) || 0; this.i = Number(parts && parts.i) || 0; }
    toJSON() { return { $timestamp: { t: this.t, i: this.i } }; }
  }

  const encode = (v, depth = 0) => {
    switch (typeof v) {
      case 'string': case 'boolean': return v;
      case 'number': return v - v === 0 ? v : ['d', String(v)];
      case 'bigint': return ['l', String(BigInt.asIntN(64, v))];
      case 'object': break;
      default: return null;
    }
    if (v === null) return null;
    if (depth > 100) throw invalid('The document nests too deep, or within itself');
    if (v instanceof Date) {
      if (isNaN(v)) throw invalid('Invalid date');
      return ['t', v.getTime()];
    }
    if (v instanceof ObjectId) return ['i', v.hex];
    if (v instanceof Long) return ['l', String(v.big)];
    if (v instanceof Double) return Number.isInteger(v.value) || v.value - v.value !== 0 ? ['d', String(v.value)] : v.value;
    if (v instanceof Int32) return v.value;
    if (v instanceof Decimal128) return ['n', v.text];
    if (v instanceof Binary) return ['b', v.buffer.toString('base64'), v.sub_type];
    if (v instanceof Timestamp) return ['s', v.t, v.i];
    if (v instanceof Uint8Array) return ['b', Buffer.from(v).toString('base64'), 0];
    if (v instanceof RegExp) return ['r', v.source, (v.ignoreCase ? 'i' : '') + (v.multiline ? 'm' : '') + (v.dotAll ? 's' : '')];
    if (typeof v.toBSON === 'function') return encode(v.toBSON(), depth + 1);
    if (Array.isArray(v)) {
      const out = ['a'];
      for (let i = 0; i < v.length; i++) out[i + 1] = encode(v[i], depth + 1);
      return out;
    }
    const out = ['o'];
    for (const [k, item] of v instanceof Map ? v : Object.entries(v)) {
      if (typeof item === 'function' || typeof item === 'symbol') continue;
      out[out.length] = String(k);
      out[out.length] = encode(item, depth + 1);
    }
    return out;
  };

  const decode = (v) => {
    if (!Array.isArray(v)) return v;
    switch (v[0]) {
      case 'o': {
        const out = {};
        for (let i = 1; i < v.length; i += 2) defineProperty(out, v[i], { value: decode(v[i + 1]), enumerable: true, writable: true, configurable: true });
        return out;
      }
      case 'a': return v.slice(1).map(decode);
      case 'i': return new ObjectId(v[1]);
      case 't': return new Date(v[1]);
      case 'l': return Number.isSafeInteger(Number(v[1])) ? Number(v[1]) : Long.fromString(v[1]);
      case 'd': return Number(v[1]);
      case 'n': return new Decimal128(v[1]);
      case 'b': return new Binary(Buffer.from(v[1], 'base64'), v[2]);
      case 'r':
        try {
          return new RegExp(v[1], v[2].replace(/[^ims]/g, ''));
        } catch {
          return v[1];
        }
      case 's': return new Timestamp({ t: v[1], i: v[2] });
    }
    return null;
  };

  // split takes the callback from the end of arguments, which may leave out what is before it.
  const split = (args, n) => {
    const list = [...args];
    const at = list.findIndex((a) => typeof a === 'function');
    const done = at >= 0 ? list[at] : undefined;
    if (at >= 0) list.length = at;
    list.length = n;
    return [...list, done];
  };
  const pickFrom = (options, ...names) => {
    const out = {};
    for (const n of names) if (options && options[n] !== undefined) out[n] = options[n];
    return out;
  };
  const hasOperators = (update) => Array.isArray(update) || Object.keys(update || {}).some((k) => k[0] === '$');

  const order = (keys, direction) => {
    const sign = (d) => (d === 'desc' || d === 'descending' || d === -1 || d === '-1' ? -1 : d && typeof d === 'object' ? d : 1);
    const out = new Map();
    if (typeof keys === 'string') out.set(keys, sign(direction));
    else if (Array.isArray(keys)) for (const k of keys) Array.isArray(k) ? out.set(k[0], sign(k[1])) : out.set(k, 1);
    else for (const [k, d] of keys instanceof Map ? keys : Object.entries(keys || {})) out.set(k, sign(d));
    return out;
  };

  class Cursor extends EventEmitter {
    constructor(db, command) {
      super();
      defineProperty(this, 'asked', { value: { db, command, docs: undefined, at: 0, maps: [] } });
    }
    #set(name, value) {
      if (this.asked.docs) throw new classes.MongoError('Cursor is already initialized');
      this.asked.command[name] = value;
      return this;
    }
    sort(keys, direction) { return this.#set('sort', order(keys, direction)); }
    limit(n) { return n ? this.#set('limit', Math.abs(n)) : this; }
    skip(n) { return this.#set('skip', n); }
    project(value) { return this.#set('projection', value); }
    filter(value) { return this.#set('filter', value); }
    hint(value) { return this.#set('hint', value); }
    collation(value) { return this.#set('collation', value); }
    maxTimeMS(n) { return this.#set('maxTimeMS', n); }
    comment(value) { return this.#set('comment', value); }
    batchSize() { return this; }
    map(fn) { this.asked.maps.push(fn); return this; }
    #all(done) {
      const a = this.asked;
      if (a.docs) return later(() => done(null, a.docs));
      a.db.run(a.command, (err, docs) => {
        if (!err) {
          try {
            a.docs = a.maps.reduce((list, fn) => list.map((d) => fn(d)), docs);
          } catch (e) {
            err = e;
          }
        }
        done(err, a.docs);
      });
    }
    #next(done) { this.#all((err, docs) => done(err, err ? undefined : this.asked.at < docs.length ? docs[this.asked.at++] : null)); }
    toArray(done) {
      return either(done, (cb) => this.#all((err, docs) => {
        if (err) return cb(err);
        const rest = docs.slice(this.asked.at);
        this.asked.at = docs.length;
        cb(null, rest);
      }));
    }
    next(done) { return either(done, (cb) => this.#next(cb)); }
    tryNext(done) { return this.next(done); }
    hasNext(done) { return either(done, (cb) => this.#all((err, docs) => cb(err, err ? undefined : this.asked.at < docs.length))); }
    forEach(fn, done) {
      return either(done, (cb) => this.toArray((err, docs) => {
        if (err) return cb(err);
        for (const d of docs) if (fn(d) === false) break;
        cb(null);
      }));
    }
    each(fn) {
      this.toArray((err, docs) => {
        if (err) return fn(err);
        for (const d of docs) fn(null, d);
        fn(null, null);
      });
    }
    count(...args) {
      const { filter, skip, limit, find } = this.asked.command;
      return either(args.find((a) => typeof a === 'function'), (cb) => this.asked.db.run({ count: find, query: filter || {}, ...pickFrom({ skip, limit }, 'skip', 'limit') }, (err, r) => cb(err, r && r.n)));
    }
    explain(done) { return either(done, (cb) => later(() => cb(new classes.MongoError('explain is not supported here')))); }
    close(done) { return either(done, (cb) => later(() => cb(null))); }
    isClosed() { return this.asked.docs !== undefined && this.asked.at >= this.asked.docs.length; }
    rewind() { this.asked.at = 0; return this; }
    async *[Symbol.asyncIterator]() {
      for (let d = await this.next(); d !== null; d = await this.next()) yield d;
    }
  }

  // Templates of version 1 compare what an update or a removal gives with a number: count > 0.
  const counted = (result, n) => defineProperty(result, 'valueOf', { value: () => n });

  class Collection {
    constructor(db, name) {
      if (typeof name !== 'string' || name === '') throw invalid('Collection name must be a non-empty string');
      this.collectionName = name;
      defineProperty(this, 's', { value: { db } });
    }
    get namespace() { return this.s.db.databaseName + '.' + this.collectionName; }
    #run(done, command, then) {
      return either(done, (cb) => this.s.db.run(command, (err, r) => {
        if (err) return cb(err);
        cb(null, then(r));
      }));
    }

    find(query, options) {
      const [filter, o] = typeof query === 'function' ? [{}, undefined] : [query || {}, options];
      const command = { find: this.collectionName, filter, ...pickFrom(o, 'projection', 'limit', 'skip', 'hint', 'collation', 'maxTimeMS', 'let', 'comment') };
      if (o && o.fields && !o.projection) command.projection = o.fields;
      if (o && o.sort) command.sort = order(o.sort);
      if (command.limit !== undefined) command.limit = Math.abs(command.limit);
      const cursor = new Cursor(this.s.db, command);
      const done = typeof query === 'function' ? query : typeof options === 'function' ? options : arguments[2];
      if (typeof done === 'function') later(() => done(null, cursor));
      return cursor;
    }
    findOne(...args) {
      const [query, options, done] = typeof args[0] === 'function' ? [{}, undefined, args[0]] : split(args, 2);
      return either(done, (cb) => this.find(query, options).limit(1).toArray((err, docs) => cb(err, err ? undefined : docs.length ? docs[0] : null)));
    }
    aggregate(...args) {
      const [pipeline, options, done] = split(args, 2);
      const cursor = new Cursor(this.s.db, { aggregate: this.collectionName, pipeline: pipeline || [], cursor: {}, ...pickFrom(options, 'collation', 'maxTimeMS', 'allowDiskUse', 'hint', 'let') });
      if (done) later(() => done(null, cursor));
      return cursor;
    }
    countDocuments(...args) {
      const [query, options, done] = typeof args[0] === 'function' ? [{}, undefined, args[0]] : split(args, 2);
      const pipeline = [{ $match: query || {} }];
      if (options && options.skip) pipeline.push({ $skip: options.skip });
      if (options && options.limit) pipeline.push({ $limit: options.limit });
      pipeline.push({ $group: { _id: 1, n: { $sum: 1 } } });
      return either(done, (cb) => this.aggregate(pipeline).toArray((err, docs) => cb(err, err ? undefined : docs.length ? docs[0].n : 0)));
    }
    count(...args) {
      const [query, options, done] = typeof args[0] === 'function' ? [{}, undefined, args[0]] : split(args, 2);
      return this.#run(done, { count: this.collectionName, query: query || {}, ...pickFrom(options, 'limit', 'skip', 'hint') }, (r) => r.n);
    }
    estimatedDocumentCount(...args) {
      return this.#run(args.find((a) => typeof a === 'function'), { count: this.collectionName }, (r) => r.n);
    }
    distinct(...args) {
      const [key, query, , done] = split(args, 3);
      return this.#run(done, { distinct: this.collectionName, key, query: query || {} }, (r) => r.values);
    }

    #insert(docs, options, done, shape) {
      return either(done, (cb) => {
        const ids = {};
        for (let i = 0; i < docs.length; i++) {
          const doc = docs[i];
          if (doc === null || typeof doc !== 'object') return later(() => cb(invalid('Argument "doc" must be a document')));
          if (doc._id === undefined) doc._id = new ObjectId();
          ids[i] = doc._id;
        }
        this.s.db.run({ insert: this.collectionName, documents: docs.map((d) => ({ _id: d._id, ...d })), ordered: !options || options.ordered !== false, ...pickFrom(options, 'writeConcern') }, (err, r) => {
          if (err) return cb(err);
          cb(null, { acknowledged: true, insertedCount: r.n, insertedIds: ids, ops: docs, result: { ok: 1, n: r.n }, ...shape(ids) });
        });
      });
    }
    insertOne(...args) {
      const [doc, options, done] = split(args, 2);
      return this.#insert([doc], options, done, (ids) => ({ insertedId: ids[0] }));
    }
    insertMany(...args) {
      const [docs, options, done] = split(args, 2);
      if (!Array.isArray(docs)) return either(done, (cb) => later(() => cb(invalid('Argument "docs" must be an array of documents'))));
      return this.#insert(docs, options, done, () => ({}));
    }
    insert(...args) {
      const [docs, options, done] = split(args, 2);
      return this.#insert(Array.isArray(docs) ? docs : [docs], options, done, (ids) => ({ insertedId: ids[0] }));
    }

    #update(filter, update, options, done, multi) {
      const one = { q: filter || {}, u: update, multi, upsert: Boolean(options && options.upsert), ...pickFrom(options, 'arrayFilters', 'collation', 'hint') };
      return this.#run(done, { update: this.collectionName, updates: [one], ordered: true, ...pickFrom(options, 'writeConcern') }, (r) => {
        const upserted = r.upserted && r.upserted.length ? r.upserted[0]._id : null;
        const count = r.upserted ? r.upserted.length : 0;
        return counted({ acknowledged: true, matchedCount: r.n - count, modifiedCount: r.nModified, upsertedCount: count, upsertedId: upserted, result: { ok: 1, n: r.n, nModified: r.nModified } }, r.n);
      });
    }
    #checked(args, multi, operators, message) {
      const [filter, update, options, done] = split(args, 3);
      if (update === null || typeof update !== 'object' || hasOperators(update) !== operators) return either(done, (cb) => later(() => cb(invalid(message))));
      return this.#update(filter, update, options, done, multi);
    }
    updateOne(...args) { return this.#checked(args, false, true, 'Update document requires atomic operators'); }
    updateMany(...args) { return this.#checked(args, true, true, 'Update document requires atomic operators'); }
    replaceOne(...args) { return this.#checked(args, false, false, 'Replacement document must not contain atomic operators'); }
    update(...args) {
      const [filter, update, options, done] = split(args, 3);
      return this.#update(filter, update, options, done, Boolean(options && options.multi));
    }
    save(...args) {
      const [doc, options, done] = split(args, 2);
      if (!doc || doc._id === undefined) return this.insertOne(doc, options, done);
      return this.#update({ _id: doc._id }, doc, { upsert: true }, done, false);
    }

    #delete(filter, options, done, limit) {
      return this.#run(done, { delete: this.collectionName, deletes: [{ q: filter || {}, limit, ...pickFrom(options, 'collation', 'hint') }], ...pickFrom(options, 'writeConcern') }, (r) => counted({ acknowledged: true, deletedCount: r.n, result: { ok: 1, n: r.n } }, r.n));
    }
    deleteOne(...args) { const [filter, options, done] = split(args, 2); return this.#delete(filter, options, done, 1); }
    deleteMany(...args) { const [filter, options, done] = split(args, 2); return this.#delete(filter, options, done, 0); }
    remove(...args) { const [filter, options, done] = split(args, 2); return this.#delete(filter, options, done, options && (options.single || options.justOne) ? 1 : 0); }
    removeOne(...args) { return this.deleteOne(...args); }
    removeMany(...args) { return this.deleteMany(...args); }

    #modify(filter, how, options, done) {
      const command = { findAndModify: this.collectionName, query: filter || {}, ...how, ...pickFrom(options, 'collation', 'arrayFilters', 'hint', 'maxTimeMS') };
      if (options && options.sort) command.sort = order(options.sort);
      if (options && (options.projection || options.fields)) command.fields = options.projection || options.fields;
      if (!how.remove) {
        command.upsert = Boolean(options && options.upsert);
        command.new = Boolean(options && (options.returnOriginal === false || options.returnDocument === 'after' || options.returnNewDocument || options.new));
      }
      return this.#run(done, command, (r) => ({ value: r.value === undefined ? null : r.value, lastErrorObject: r.lastErrorObject, ok: 1 }));
    }
    findOneAndUpdate(...args) {
      const [filter, update, options, done] = split(args, 3);
      if (!hasOperators(update)) return either(done, (cb) => later(() => cb(invalid('Update document requires atomic operators'))));
      return this.#modify(filter, { update }, options, done);
    }
    findOneAndReplace(...args) {
      const [filter, update, options, done] = split(args, 3);
      if (hasOperators(update)) return either(done, (cb) => later(() => cb(invalid('Replacement document must not contain atomic operators'))));
      return this.#modify(filter, { update }, options, done);
    }
    findOneAndDelete(...args) { const [filter, options, done] = split(args, 2); return this.#modify(filter, { remove: true }, options, done); }
    findAndModify(...args) {
      const [filter, sort, update, options, done] = split(args, 4);
      const o = { ...options, ...(sort ? { sort } : {}) };
      return this.#modify(filter, o.remove ? { remove: true } : { update }, o, done);
    }

    createIndex(...args) {
      const [keys, options, done] = split(args, 2);
      const key = order(keys);
      const name = (options && options.name) || [...key].map(([k, d]) => k + '_' + d).join('_');
      return this.#run(done, { createIndexes: this.collectionName, indexes: [{ ...pickFrom(options, 'unique', 'sparse', 'expireAfterSeconds', 'partialFilterExpression', 'collation'), key, name }] }, () => name);
    }
    ensureIndex(...args) { return this.createIndex(...args); }
    listIndexes() { return new Cursor(this.s.db, { listIndexes: this.collectionName }); }
    indexes(...args) { return this.listIndexes().toArray(args.find((a) => typeof a === 'function')); }
  }

  class Db {
    constructor(client, name) {
      this.databaseName = name;
      defineProperty(this, 's', { value: { client } });
    }
    run(command, done) {
      let what;
      try {
        what = { db: this.databaseName, command: encode(command) };
      } catch (e) {
        return later(() => done(e));
      }
      this.s.client.ask(what, done);
    }
    collection(name, options, done) {
      const c = new Collection(this, name);
      const cb = typeof options === 'function' ? options : done;
      if (typeof cb === 'function') later(() => cb(null, c));
      return c;
    }
    command(...args) {
      const [command, , done] = split(args, 2);
      return either(done, (cb) => this.run(command, cb));
    }
    listCollections(filter) { return new Cursor(this, { listCollections: 1, filter: filter || {} }); }
    admin() {
      const on = new Db(this.s.client, 'admin');
      return { ping: (done) => on.command({ ping: 1 }, done), command: (...args) => on.command(...args) };
    }
    db(name) { return this.s.client.db(name); }
    close(...args) { return this.s.client.close(...args); }
  }

  // settings are the options of a client as texts; Go knows which mean something.
  const settings = (options) => {
    const out = {};
    for (const [k, v] of Object.entries(options || {})) {
      if (v === undefined || v === null) continue;
      if (k === 'auth' && typeof v === 'object') {
        out['auth.user'] = String(v.username || v.user || '');
        out['auth.password'] = String(v.password || '');
      } else if (k === 'ca' || k === 'sslCA') out.ca = [].concat(v).map((c) => (c instanceof Uint8Array ? fromUTF8(c) : String(c))).join('\n');
      else if (typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean') out[k] = String(v);
      else if (v instanceof Uint8Array || typeof v === 'object' && /^(?:sslKey|sslCert|key|cert|pfx|autoEncryption|authMechanismProperties)$/i.test(k)) out[k] = 'given';
    }
    return out;
  };

  class MongoClient extends EventEmitter {
    #url;
    #options;
    #session;
    #opened; // undefined, or what came of it: {done, err}
    #closed = false;
    constructor(url, options) {
      super();
      this.#url = url;
      this.#options = options;
    }
    static connect(...args) {
      const [url, options, done] = split(args, 2);
      return new MongoClient(url, options).connect(done);
    }
    #open(done) {
      if (this.#opened && this.#opened.over) return later(() => done(this.#opened.err));
      if (this.#opened) return void this.#opened.waiting.push(done);
      const opened = this.#opened = { over: false, err: null, waiting: [done] };
      this.#session = database('mongodb', { url: this.#url, options: settings(this.#options) });
      this.#session.open((err) => {
        opened.over = true;
        opened.err = err ? named(err) : null;
        for (const w of opened.waiting.splice(0)) w(opened.err);
      });
    }
    connect(...args) {
      if (typeof args[0] === 'string') [this.#url, this.#options] = [args.shift(), typeof args[0] === 'object' && args[0] !== null ? args.shift() : this.#options];
      this.#closed = false;
      return either(args.find((a) => typeof a === 'function'), (cb) => this.#open((err) => {
        if (err) this.#opened = undefined;
        cb(err, err ? undefined : this);
      }));
    }
    ask(what, done) {
      if (this.#closed) return later(() => done(new classes.MongoNotConnectedError('Client must be connected before running operations')));
      this.#open((err) => {
        if (err) return done(err);
        this.#session.do('command', what, (e, v) => {
          if (e) return done(named(e));
          done(null, decode(v));
        });
      });
    }
    db(name) {
      const [, path] = /^[^:]*:\/\/[^/?]*\/([^?]*)/.exec(String(this.#url)) || [];
      return new Db(this, name || (this.#options && this.#options.dbName) || (path && decodeURIComponent(path)) || 'test');
    }
    collection(...args) { return this.db().collection(...args); }
    command(...args) { return this.db().command(...args); }
    isConnected() { return Boolean(this.#opened && this.#opened.over && !this.#opened.err) && !this.#closed; }
    close(...args) {
      return either(args.find((a) => typeof a === 'function'), (cb) => {
        if (this.#closed || !this.#opened) {
          this.#closed = true;
          return later(() => cb(null));
        }
        this.#closed = true;
        this.#opened = undefined;
        this.#session.close(() => cb(null));
      });
    }
    logout(...args) { return either(args.find((a) => typeof a === 'function'), (cb) => later(() => cb(null, true))); }
  }

  return {
    MongoClient, Db, Collection, Cursor, ObjectId, ObjectID: ObjectId, Long, Double, Int32, Decimal128, Binary, Timestamp, ...classes,
    connect: MongoClient.connect,
  };
});
