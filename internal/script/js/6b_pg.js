// pg, as far as scripts use it. Go (foreigndb/pgsession.go) runs the statements and
// answers texts; what they mean, by the number of their type, is here. Times without a
// zone are taken for UTC.
define('pg', () => {
  const { EventEmitter } = load('events');

  const number = (text) => parseInt(text, 10);
  const whole = (text) => text;
  const boolean = (text) => text === 't' || text === 'true';

  const moment = (text) => {
    if (text === 'infinity') return Infinity;
    if (text === '-infinity') return -Infinity;
    const m = /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(\.\d+)?)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/.exec(text);
    if (!m) return null;
    const year = m[12] ? 1 - Number(m[1]) : Number(m[1]);
    const at = new Date(0);
    at.setUTCFullYear(year, Number(m[2]) - 1, Number(m[3]));
    at.setUTCHours(Number(m[4] || 0), Number(m[5] || 0), Number(m[6] || 0), Math.floor(Number('0' + (m[7] || '.0')) * 1000));
    const away = (Number(m[9] || 0) * 3600 + Number(m[10] || 0) * 60 + Number(m[11] || 0)) * (m[8] === '-' ? -1 : 1);
    return new Date(at.getTime() - away * 1000);
  };

  const bytes = (text) => {
    if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex');
    const out = [];
    for (let i = 0; i < text.length; i++) {
      if (text[i] !== '\\') out.push(text.charCodeAt(i));
      else if (text[i + 1] === '\\') { out.push(92); i++; } else { out.push(parseInt(text.substr(i + 1, 3), 8)); i += 3; }
    }
    return Buffer.from(out);
  };

  const point = (text) => {
    const m = /^\(([^,]+),([^)]+)\)$/.exec(text);
    return m ? { x: parseFloat(m[1]), y: parseFloat(m[2]) } : null;
  };

  const interval = (text) => {
    const out = {};
    for (const m of text.matchAll(/([+-]?\d+) (year|mon|day)s?/g)) {
      const n = Number(m[1]);
      if (n) out[{ year: 'years', mon: 'months', day: 'days' }[m[2]]] = n;
    }
    const m = /([+-])?(\d+):(\d\d):(\d\d)(\.\d+)?/.exec(text);
    if (m) {
      const sign = m[1] === '-' ? -1 : 1;
      const parts = { hours: Number(m[2]), minutes: Number(m[3]), seconds: Number(m[4]), milliseconds: Number('0' + (m[5] || '.0')) * 1000 };
      for (const k of Object.keys(parts)) if (parts[k]) out[k] = sign * parts[k];
    }
    return defineProperty(out, 'toPostgres', { value: () => text });
  };

  // list reads an array, whose elements each are for one parser.
  const list = (each) => (text) => {
    let i = text.indexOf('{');
    const read = () => {
      const out = [];
      for (i++; i < text.length && text[i] !== '}';) {
        if (text[i] === ',') { i++; continue; }
        if (text[i] === '{') { out.push(read()); continue; }
        let s = '';
        if (text[i] === '"') {
          for (i++; i < text.length && text[i] !== '"'; i++) s += text[i] === '\\' ? text[++i] : text[i];
          i++;
          out.push(each(s));
          continue;
        }
        while (i < text.length && text[i] !== ',' && text[i] !== '}') s += text[i++];
        out.push(s === 'NULL' ? null : each(s));
      }
      i++;
      return out;
    };
    return i < 0 ? [] : read();
  };

  const parsers = new Map([
    [16, boolean], [17, bytes], [20, whole], [21, number], [23, number], [26, number], [114, (t) => parse(t)], [600, point],
    [700, parseFloat], [701, parseFloat], [1082, moment], [1114, moment], [1184, moment], [1186, interval], [3802, (t) => parse(t)],
    [1000, list(boolean)], [1001, list(bytes)], [1005, list(number)], [1007, list(number)], [1028, list(number)], [1016, list(whole)],
    [1017, list(point)], [1021, list(parseFloat)], [1022, list(parseFloat)], [1231, list(parseFloat)], [1115, list(moment)],
    [1182, list(moment)], [1185, list(moment)], [1187, list(interval)], [199, list((t) => parse(t))], [3807, list((t) => parse(t))],
    ...[1002, 1008, 1009, 1014, 1015, 1040, 1041, 1183, 1270, 2951, 651, 791].map((oid) => [oid, list(whole)]),
  ]);
  const types = {
    builtins: {
      BOOL: 16, BYTEA: 17, CHAR: 18, INT8: 20, INT2: 21, INT4: 23, TEXT: 25, OID: 26, JSON: 114, XML: 142, FLOAT4: 700, FLOAT8: 701, MONEY: 790,
      INET: 869, BPCHAR: 1042, VARCHAR: 1043, DATE: 1082, TIME: 1083, TIMESTAMP: 1114, TIMESTAMPTZ: 1184, INTERVAL: 1186, TIMETZ: 1266,
      NUMERIC: 1700, UUID: 2950, JSONB: 3802,
    },
    setTypeParser(oid, format, fn) { parsers.set(Number(oid), typeof format === 'function' ? format : fn); },
    getTypeParser: (oid) => parsers.get(Number(oid)) || whole,
    arrayParser: { create: (text, each) => ({ parse: () => list(each || whole)(text) }) },
  };

  // prepared is a value as PostgreSQL reads it.
  const prepared = (v, seen = []) => {
    if (v === null || v === undefined) return null;
    if (v instanceof Uint8Array) return v;
    if (ArrayBuffer.isView(v)) return Buffer.from(v.buffer, v.byteOffset, v.byteLength);
    if (v instanceof ArrayBuffer) return Buffer.from(v);
    if (v instanceof Date) return isNaN(v) ? 'Invalid Date' : v.toISOString().replace('Z', '+00:00');
    if (Array.isArray(v)) return literal(v);
    if (typeof v === 'object') {
      if (typeof v.toPostgres !== 'function') return stringify(v);
      if (seen.includes(v)) throw new Error('circular reference detected while preparing "' + v + '" for query');
      return prepared(v.toPostgres(prepared), [...seen, v]);
    }
    return String(v);
  };
  const literal = (array) => '{' + array.map((v) => {
    if (v === null || v === undefined) return 'NULL';
    if (Array.isArray(v)) return literal(v);
    const text = prepared(v);
    return '"' + (typeof text === 'string' ? text : '\\x' + text.toHex()).replace(/\\/g, '\\\\').replace(/"/g, '\\"') + '"';
  }).join(',') + '}';

  const defaults = { ssl: undefined, parseInt8: false };

  const authority = (ca) => (Array.isArray(ca) ? ca : [ca]).map(String).join('\n');

  // place is where a configuration leads, in the words of Go.
  const place = (c) => {
    const ssl = c.ssl === undefined ? defaults.ssl : c.ssl;
    const out = {
      url: c.connectionString, host: c.host, port: Number(c.port) || undefined, user: c.user, database: c.database,
      options: c.options, timeout: Number(c.connectionTimeoutMillis) || undefined,
    };
    if (!out.url && !out.host) out.host = defaults.host || 'localhost';
    if (!out.url && !out.database) out.database = out.user;
    if (ssl === false) out.tls = 'disable';
    else if (ssl && typeof ssl === 'object') {
      out.tls = ssl.rejectUnauthorized === false ? 'require' : 'verify-full';
      if (ssl.ca) out.ca = authority(ssl.ca);
    } else if (ssl) out.tls = { prefer: 'prefer', allow: 'prefer', require: 'require', 'no-verify': 'require' }[ssl] || 'verify-full';
    return out;
  };

  class Result {
    constructor(got, o) {
      this.command = got.command || null;
      this.rowCount = got.rowCount;
      this.oid = null;
      this.fields = got.fields;
      const own = o.types && typeof o.types.getTypeParser === 'function' ? o.types : types;
      const read = got.fields.map((f) => (own === types && f.dataTypeID === 20 && defaults.parseInt8 ? number : own.getTypeParser(f.dataTypeID, 'text')));
      const value = (text, i) => (text === null ? null : read[i](text));
      this.rows = got.rows.map((row) => {
        if (o.rowMode === 'array') return row.map(value);
        const out = {};
        row.forEach((text, i) => { out[got.fields[i].name] = value(text, i); });
        return out;
      });
      this.rowAsArray = o.rowMode === 'array';
    }
  }

  // Pending is what query returns where there is no callback: a promise with the events
  // of old versions.
  const pending = (start) => {
    const events = new EventEmitter();
    const promise = either(undefined, (done) => start((err, result) => {
      if (err) {
        if (events.listenerCount('error') > 0) events.emit('error', err);
      } else {
        for (const one of Array.isArray(result) ? result : [result]) for (const row of one.rows) events.emit('row', row, { addRow(r) { one.rows.push(r); } });
        events.emit('end', result);
      }
      done(err, result);
    }));
    promise.on = (name, fn) => {
      events.on(name, fn);
      promise.catch(() => {}); // whoever listens has been told
      return promise;
    };
    return promise;
  };

  class Client extends EventEmitter {
    #config; #session; #early = []; #ended = false;
    constructor(config) {
      super();
      this.#config = typeof config === 'string' ? { connectionString: config } : { ...config };
      const c = this.#config;
      [this.user, this.database, this.host, this.port] = [c.user, c.database, c.host, Number(c.port) || 5432];
    }
    connect(done) {
      return either(done, (end) => {
        if (this.#session) return end(new Error('Client has already been connected. You cannot reuse a client.'));
        const target = place(this.#config);
        const open = (password) => {
          if (password !== undefined && password !== null) target.password = String(password);
          this.#session = database('pg', target);
          this.#session.open((err) => {
            if (err) return end(err);
            this.emit('connect');
            end(null, this);
          });
          for (const start of this.#early.splice(0)) start();
        };
        const password = this.#config.password;
        if (typeof password !== 'function') return open(password);
        Promise.resolve().then(password).then(open, end);
      });
    }
    query(what, values, done) {
      if (typeof values === 'function') [values, done] = [undefined, values];
      const o = what !== null && typeof what === 'object' ? { ...what } : { text: what };
      if (values !== undefined) o.values = values;
      done = done || o.callback;
      const start = (end) => {
        if (this.#ended) return later(() => end(new Error('Client was closed and is not queryable')));
        if (typeof o.text !== 'string') return later(() => end(new TypeError('Client was passed a null or undefined query')));
        let list;
        try {
          if (o.values !== undefined && o.values !== null && !Array.isArray(o.values)) throw new Error('Query values must be an array');
          if (o.values && o.values.length > 0 || o.name) list = (o.values || []).map((v) => prepared(v));
        } catch (e) {
          return later(() => end(e));
        }
        const timeout = Number(o.query_timeout || this.#config.query_timeout || this.#config.statement_timeout) || undefined;
        const ask = () => this.#session.do('query', { text: o.text, values: list, timeout }, (err, got) => {
          if (err) return end(err);
          let results;
          try {
            results = got.map((one) => new Result(one, { rowMode: o.rowMode, types: o.types || this.#config.types }));
          } catch (e) {
            return end(e);
          }
          end(null, results.length > 1 ? results : results[0] || new Result({ command: null, rowCount: null, fields: [], rows: [] }, o));
        });
        if (this.#session) ask();
        else this.#early.push(ask);
      };
      return typeof done === 'function' ? either(done, start) : pending(start);
    }
    end(done) {
      return either(done, (end) => {
        const session = this.#session;
        if (this.#ended || !session) {
          this.#ended = true;
          return later(() => end());
        }
        this.#ended = true;
        session.close(() => {
          this.emit('end');
          end();
        });
      });
    }
    escapeIdentifier(text) { return escapeIdentifier(text); }
    escapeLiteral(text) { return escapeLiteral(text); }
    setTypeParser(oid, format, fn) {
      if (!this.#config.types) this.#config.types = { own: new Map(), getTypeParser(n) { return this.own.get(n) || types.getTypeParser(n); } };
      if (this.#config.types.own) this.#config.types.own.set(Number(oid), typeof format === 'function' ? format : fn);
    }
    getTypeParser(oid) { return (this.#config.types || types).getTypeParser(oid, 'text'); }
    ref() {}
    unref() {}
  }

  const escapeIdentifier = (text) => '"' + String(text).replace(/"/g, '""') + '"';
  const escapeLiteral = (text) => {
    const plain = String(text).replace(/'/g, "''").replace(/\\/g, '\\\\');
    return (plain.includes('\\') ? " E'" : "'") + plain + "'";
  };

  // Pool keeps to what a run may have open.
  class Pool extends EventEmitter {
    #all = new Set(); #free = []; #waiting = []; #ended = false; #most;
    constructor(options) {
      super();
      this.options = typeof options === 'string' ? { connectionString: options } : { ...options };
      this.#most = Math.min(Number(this.options.max || this.options.poolSize) || 4, 4);
      this.Client = Client;
    }
    get totalCount() { return this.#all.size; }
    get idleCount() { return this.#free.length; }
    get waitingCount() { return this.#waiting.length; }
    get ended() { return this.#ended; }
    #lend(client, done) {
      let given = false;
      client.release = (broken) => {
        if (given) throw new Error('Release called on client which has already been released to the pool.');
        given = true;
        if (broken || this.#ended) {
          this.#all.delete(client);
          client.end(() => this.#next());
        } else {
          this.#free.push(client);
          this.#next();
        }
      };
      done(undefined, client, client.release);
    }
    #next() {
      if (this.#waiting.length === 0) return;
      if (this.#free.length > 0) return this.#lend(this.#free.pop(), this.#waiting.shift());
      if (this.#all.size >= this.#most) return;
      const done = this.#waiting.shift();
      const client = new Client(this.options);
      this.#all.add(client);
      client.connect((err) => {
        if (!err) {
          this.emit('connect', client);
          return this.#lend(client, done);
        }
        this.#all.delete(client);
        done(err, undefined, () => {});
        this.#next();
      });
    }
    connect(done) {
      const start = (end) => {
        if (this.#ended) return later(() => end(new Error('Cannot use a pool after calling end on the pool')));
        this.#waiting.push(end);
        this.#next();
      };
      return either(done, start);
    }
    query(what, values, done) {
      if (typeof values === 'function') [values, done] = [undefined, values];
      return either(done, (end) => this.connect((err, client) => {
        if (err) return end(err);
        client.query(what, values, (failed, result) => {
          client.release();
          end(failed, result);
        });
      }));
    }
    end(done) {
      return either(done, (end) => {
        this.#ended = true;
        const free = this.#free.splice(0);
        let left = free.length;
        if (left === 0) return later(() => end());
        for (const client of free) {
          this.#all.delete(client);
          client.end(() => { if (--left === 0) end(); });
        }
      });
    }
  }

  // Query is what client.query takes as well.
  class Query {
    constructor(what, values, callback) {
      if (typeof values === 'function') [values, callback] = [undefined, values];
      Object.assign(this, typeof what === 'string' ? { text: what } : what, values && { values }, callback && { callback });
    }
  }

  const pools = new Map();

  const pg = {
    Client, Pool, Query, types, defaults, escapeIdentifier, escapeLiteral, native: null,
    // connect and end of versions before 7.
    connect(config, done) {
      if (typeof config === 'function') [config, done] = [{}, config];
      const key = typeof config === 'string' ? config : stringify(config);
      if (!pools.has(key)) pools.set(key, new Pool(config));
      pools.get(key).connect((err, client, release) => done(err || null, client, release));
    },
    end(done) {
      for (const pool of pools.values()) pool.end(() => {});
      pools.clear();
      if (typeof done === 'function') later(done);
    },
  };
  pg.DatabaseError = class DatabaseError extends Error {};
  return pg;
});
