// mysql and mysql2, as far as scripts use them. Go (foreigndb/mysqlsession.go) runs the
// statements. What is put in for a placeholder never becomes text: lists and objects
// become more placeholders, and the server gets the values apart. Times are taken for
// UTC where no other timezone is configured.
const mysqlKit = (second) => {
  const { EventEmitter } = load('events');

  // A text in quotes means the same in every sql_mode only where it has no backslash.
  const quoted = (text) => {
    if (!/[\\\0\x1a]/.test(text)) return "'" + text.replace(/'/g, "''") + "'";
    return "_utf8mb4 X'" + utf8(text).toHex() + "'";
  };
  const two = (n, width = 2) => String(n).padStart(width, '0');

  // offset of a timezone in minutes.
  const offset = (zone) => {
    const m = /^([+-])(\d\d?):?(\d\d)?$/.exec(String(zone || ''));
    return m ? (m[1] === '-' ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3] || 0)) : 0;
  };
  const timeText = (date, zone) => {
    if (isNaN(date)) return null;
    const d = new Date(date.getTime() + offset(zone) * 60000);
    return two(d.getUTCFullYear(), 4) + '-' + two(d.getUTCMonth() + 1) + '-' + two(d.getUTCDate()) + ' ' +
      two(d.getUTCHours()) + ':' + two(d.getUTCMinutes()) + ':' + two(d.getUTCSeconds()) + '.' + two(d.getUTCMilliseconds(), 3);
  };
  const timeValue = (text, zone) => {
    const m = /^(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(\.\d+)?)?$/.exec(text);
    if (!m || m[2] === '00' || m[3] === '00') return text;
    const at = new Date(0);
    at.setUTCFullYear(Number(m[1]), Number(m[2]) - 1, Number(m[3]));
    at.setUTCHours(Number(m[4] || 0), Number(m[5] || 0), Number(m[6] || 0), Math.floor(Number('0' + (m[7] || '.0')) * 1000));
    return new Date(at.getTime() - offset(zone) * 60000);
  };

  const escapeId = (id, whole) => {
    if (Array.isArray(id)) return id.map((one) => escapeId(one, whole)).join(', ');
    const text = '`' + String(id).replace(/`/g, '``') + '`';
    return whole ? text : text.replace(/\./g, '`.`');
  };

  // single is a value for one placeholder, or undefined where it is none.
  const single = (v, zone) => {
    if (v === null || v === undefined) return { value: null };
    if (typeof v === 'number') return isFinite(v) ? { value: v } : { text: String(v) };
    if (typeof v === 'string' || typeof v === 'boolean' || typeof v === 'bigint' || v instanceof Uint8Array) return { value: v };
    if (v instanceof Date) return { value: timeText(v, zone) };
    if (typeof v.toSqlString === 'function') return { text: String(v.toSqlString()) };
    if (typeof v === 'object') return undefined;
    return { value: String(v) };
  };

  // put is a value as text, in which each single one is what emit makes of it.
  const put = (v, emit, o, inside) => {
    const s = single(v, o.timezone);
    if (s) return 'text' in s ? s.text : emit(s.value);
    if (Array.isArray(v)) return v.map((one) => (Array.isArray(one) ? '(' + put(one, emit, o, true) + ')' : put(one, emit, o, true))).join(', ');
    if (inside || o.stringifyObjects) return emit(String(v));
    return Object.keys(v).filter((k) => typeof v[k] !== 'function').map((k) => escapeId(k) + ' = ' + put(v[k], emit, o, true)).join(', ');
  };

  // A part of a statement that is no place for values, or a placeholder.
  const parts = /'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`(?:[^`]|``)*`|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[^]*?\*\/|\?+/g;

  // planned is a statement with its values apart.
  const planned = (sql, values, o) => {
    const list = values === undefined || values === null ? [] : Array.isArray(values) ? values : [values];
    const out = [];
    const emit = (value) => { out.push(value); return '?'; };
    let next = 0;
    const text = list.length === 0 ? sql : sql.replace(parts, (part) => {
      if (part[0] !== '?' || part.length > 2 || next >= list.length) return part;
      const v = list[next++];
      return part.length === 2 ? escapeId(v) : put(v, emit, o, false);
    });
    return { sql: text, values: out };
  };

  // named puts the values of an object behind :names in their order.
  const named = (sql, values) => {
    const list = [];
    const text = sql.replace(new RegExp(parts.source + '|(?<![:\\w]):([A-Za-z_]\\w*)', 'g'), (part, name) => {
      if (name === undefined) return part;
      list.push(values[name]);
      return '?';
    });
    return [text, list];
  };

  const inlined = (v) => {
    if (v === null) return 'NULL';
    if (typeof v === 'string') return quoted(v);
    return v instanceof Uint8Array ? "X'" + v.toHex() + "'" : String(v);
  };
  const escape = (v, stringifyObjects, zone) => put(v, inlined, { stringifyObjects, timezone: zone }, false);
  const format = (sql, values, stringifyObjects, zone) => {
    if (values === undefined || values === null) return sql;
    const list = Array.isArray(values) ? values : [values];
    let next = 0;
    return sql.replace(/\?+/g, (part) => {
      if (part.length > 2 || next >= list.length) return part;
      const v = list[next++];
      return part.length === 2 ? escapeId(v) : escape(v, stringifyObjects, zone);
    });
  };
  const raw = (sql) => {
    if (typeof sql !== 'string') throw new TypeError('argument sql must be a string');
    return { toSqlString: () => sql };
  };

  const names = {
    tinyint: ['TINY', 1], smallint: ['SHORT', 2], int: ['LONG', 3], float: ['FLOAT', 4], double: ['DOUBLE', 5], null: ['NULL', 6],
    timestamp: ['TIMESTAMP', 7], bigint: ['LONGLONG', 8], mediumint: ['INT24', 9], date: ['DATE', 10], time: ['TIME', 11],
    datetime: ['DATETIME', 12], year: ['YEAR', 13], bit: ['BIT', 16], json: ['JSON', 245], decimal: ['NEWDECIMAL', 246], enum: ['STRING', 254],
    set: ['STRING', 254], char: ['STRING', 254], binary: ['STRING', 254], varchar: ['VAR_STRING', 253], varbinary: ['VAR_STRING', 253],
    geometry: ['GEOMETRY', 255],
  };
  const typeNamed = (type) => names[type.replace('unsigned ', '')] || ['BLOB', 252];

  const read = (v, field, o) => {
    if (v === null) return null;
    const type = field.type.replace('unsigned ', '');
    switch (type) {
      case 'date': case 'datetime': case 'timestamp': {
        const plain = Array.isArray(o.dateStrings) ? o.dateStrings.some((n) => String(n).toLowerCase() === type) : o.dateStrings;
        return plain ? v : timeValue(v, o.timezone);
      }
      case 'bigint':
        if (o.supportBigNumbers && (o.bigNumberStrings || typeof v === 'string')) return String(v);
        return Number(v);
      case 'decimal':
        if (second ? !o.decimalNumbers : o.supportBigNumbers && (o.bigNumberStrings || Math.abs(Number(v)) >= 2 ** 53)) return v;
        return Number(v);
      case 'json':
        return second ? parse(v) : v;
    }
    return v;
  };

  // value is one of a row; a typeCast of the script's may have it first.
  const value = (v, field, o) => {
    if (typeof o.typeCast !== 'function') return read(v, field, o);
    const text = () => (v === null ? null : v instanceof Uint8Array ? v.toString() : String(v));
    return o.typeCast({
      type: typeNamed(field.type)[0], name: field.name, db: '', table: '',
      length: field.type.includes('tinyint') || v instanceof Uint8Array && field.type === 'bit' && v.length === 1 ? 1 : 0,
      string: text, buffer: () => (v === null ? null : Buffer.from(v)), geometry: () => null,
    }, () => read(v, field, o));
  };

  const answered = (got, sql, o) => {
    const sets = got.sets.map((set) => {
      const fields = set.fields.map((f) => ({ catalog: 'def', db: '', table: '', orgTable: '', name: f.name, orgName: f.name, type: typeNamed(f.type)[1], columnType: typeNamed(f.type)[1] }));
      const rows = set.rows.map((row) => {
        if (o.rowsAsArray) return row.map((v, i) => value(v, set.fields[i], o));
        const out = {};
        row.forEach((v, i) => { out[set.fields[i].name] = value(v, set.fields[i], o); });
        return out;
      });
      return [rows, fields];
    });
    const changed = /^\s*update\b/i.test(sql) ? got.affected : 0;
    const done = second
      ? { fieldCount: 0, affectedRows: got.affected, insertId: got.insertId, info: '', serverStatus: 2, warningStatus: 0, changedRows: changed }
      : { fieldCount: 0, affectedRows: got.affected, insertId: got.insertId, serverStatus: 2, warningCount: 0, message: '', protocol41: true, changedRows: changed };
    if (/^\s*call\b/i.test(sql) && sets.length > 0) return [[...sets.map((s) => s[0]), done], [...sets.map((s) => s[1]), undefined]];
    return sets.length > 0 ? sets[0] : [done, undefined];
  };

  // place is where a configuration leads, in the words of Go.
  const place = (c) => {
    const out = {
      url: c.uri, host: c.host, port: Number(c.port) || undefined, user: c.user, database: c.database,
      timeout: Number(c.connectTimeout) || undefined,
    };
    if (c.socketPath) throw new Error('socketPath is not available here');
    const password = [c.password, c.passwd, c.pass].find((p) => p !== undefined && p !== null);
    if (password !== undefined) out.password = String(password);
    if (!out.url && !out.host) out.host = 'localhost';
    const ssl = c.ssl;
    if (ssl && typeof ssl === 'object') {
      out.tls = ssl.rejectUnauthorized === false ? 'require' : 'verify-full';
      if (ssl.ca) out.ca = (Array.isArray(ssl.ca) ? ssl.ca : [ssl.ca]).map(String).join('\n');
    } else if (ssl) out.tls = 'verify-full';
    return out;
  };

  const configured = (config) => {
    if (typeof config === 'string') config = { uri: config };
    const o = { ...config };
    if (!o.uri) return o;
    // The rest of a URL's parameters are options; values are JSON where they can be.
    const query = String(o.uri).split('?')[1];
    for (const [k, v] of new URLSearchParams(query || '')) {
      if (k in o || k === 'uri') continue;
      try { o[k] = parse(v); } catch { o[k] = v; }
    }
    if (o.ssl !== undefined && typeof o.ssl !== 'object') delete o.ssl; // Go reads it
    return o;
  };

  // worded is an error as each package words it.
  const worded = (err) => {
    if (!second && err && err.errno) err.message = err.code + ': ' + err.message;
    return err;
  };

  const quit = (what) => Object.assign(new Error('Cannot enqueue ' + what + ' after invoking quit.'), { code: 'PROTOCOL_ENQUEUE_AFTER_QUIT', fatal: false });

  class Connection extends EventEmitter {
    #session; #ended = false; #opened;
    constructor(config) {
      super();
      this.config = configured(config);
      this.state = 'disconnected';
      this.threadId = null;
    }
    #open() {
      if (this.#session) return;
      this.#session = database('mysql', place(this.config));
      this.#opened = [];
      this.#session.open((err) => {
        worded(err);
        const waiting = this.#opened;
        this.state = err ? 'protocol_error' : 'authenticated';
        this.#opened = { err };
        if (!err) this.emit('connect');
        for (const done of waiting) done(err || null);
        if (err && waiting.length === 0 && this.listenerCount('error') > 0) this.emit('error', err);
      });
    }
    connect(options, done) {
      if (typeof options === 'function') done = options;
      const end = typeof done === 'function' ? done : () => {};
      if (this.#ended) return void later(() => end(quit('Handshake')));
      this.#open();
      if (Array.isArray(this.#opened)) this.#opened.push(end);
      else later(() => end(this.#opened.err || null));
    }
    #ask(what, values, done, literal) {
      if (typeof values === 'function') [values, done] = [undefined, values];
      const own = what !== null && typeof what === 'object' ? what : { sql: what };
      const o = { ...this.config, ...own };
      if (values === undefined) values = own.values;
      const query = new EventEmitter();
      query.sql = own.sql;
      const end = (err, rows, fields) => {
        if (typeof done === 'function') {
          done(err, rows, fields);
        } else if (err) {
          if (query.listenerCount('error') > 0) query.emit('error', err);
          else if (this.listenerCount('error') > 0) this.emit('error', err);
        }
        if (!err) {
          if (fields) query.emit('fields', fields);
          for (const row of Array.isArray(rows) ? rows : [rows]) query.emit('result', row);
        }
        query.emit('end');
      };
      let plan;
      try {
        if (typeof own.sql !== 'string') throw new TypeError('The statement must be a string.');
        if (own.nestTables || o.nestTables) throw new Error('nestTables is not available here');
        let sql = own.sql;
        if (o.namedPlaceholders && values && typeof values === 'object' && !Array.isArray(values)) [sql, values] = named(sql, values);
        if (literal) plan = { sql, values: bound(values, o) };
        else if (typeof this.config.queryFormat === 'function') plan = { sql: String(this.config.queryFormat.call(this, sql, values, o.timezone)), values: [] };
        else plan = planned(sql, values, o);
        if (this.#ended) throw quit('Query');
        this.#open();
      } catch (e) {
        later(() => end(e));
        return query;
      }
      this.#session.do('query', { sql: plan.sql, values: plan.values, timeout: Number(own.timeout) || undefined }, (err, got) => {
        if (err) return end(worded(err));
        let result;
        try {
          result = answered(got, plan.sql, o);
        } catch (e) {
          return end(e);
        }
        end(null, result[0], result[1]);
      });
      return query;
    }
    query(sql, values, done) { return this.#ask(sql, values, done, false); }
    execute(sql, values, done) { return this.#ask(sql, values, done, true); }
    beginTransaction(options, done) { return this.query('START TRANSACTION', typeof options === 'function' ? options : done); }
    commit(options, done) { return this.query('COMMIT', typeof options === 'function' ? options : done); }
    rollback(options, done) { return this.query('ROLLBACK', typeof options === 'function' ? options : done); }
    ping(options, done) {
      const end = typeof options === 'function' ? options : done;
      return this.query('DO 0', (err) => { if (end) end(err || null); });
    }
    end(options, done) {
      const end = typeof options === 'function' ? options : typeof done === 'function' ? done : () => {};
      if (this.#ended) return void later(() => end(quit('Quit')));
      this.#ended = true;
      this.state = 'disconnected';
      const finish = () => { this.emit('end'); end(null); };
      if (this.#session) this.#session.close(finish);
      else later(finish);
    }
    destroy() {
      this.#ended = true;
      this.state = 'disconnected';
      if (this.#session) this.#session.close(() => {});
    }
    close(done) { this.end(done); }
    escape(v, stringifyObjects, zone) { return escape(v, stringifyObjects || this.config.stringifyObjects, zone || this.config.timezone); }
    escapeId(id, whole) { return escapeId(id, whole); }
    format(sql, values) { return format(sql, values, this.config.stringifyObjects, this.config.timezone); }
    promise() { return promising(this); }
    unprepare() {}
    pause() {}
    resume() {}
  }

  // bound are the values of execute, which stand for themselves.
  const bound = (values, o) => (values === undefined || values === null ? [] : Array.isArray(values) ? values : [values]).map((v) => {
    if (v === undefined) throw new TypeError('Bind parameters must not contain undefined. To pass SQL NULL specify JS null');
    if (typeof v === 'function') throw new TypeError('Bind parameters must not contain function(s). To pass the body of a function as a string call .toString() first');
    const s = single(v, o.timezone);
    if (s && 'value' in s) return s.value;
    return typeof v === 'number' ? null : stringify(v);
  });

  // Pool keeps to what a run may have open.
  class Pool extends EventEmitter {
    #free = []; #waiting = []; #count = 0; #ended = false; #most;
    constructor(config) {
      super();
      this.config = configured(config);
      this.#most = Math.min(Number(this.config.connectionLimit) || 4, 4);
    }
    #next() {
      if (this.#waiting.length === 0) return;
      if (this.#free.length > 0) return this.#waiting.shift()(null, this.#free.pop());
      if (this.#count >= this.#most) return;
      const done = this.#waiting.shift();
      const c = new Connection(this.config);
      this.#count++;
      c.release = () => {
        if (this.#free.includes(c)) throw new Error('Connection already released');
        if (this.#ended || c.state !== 'authenticated') {
          this.#count--;
          c.destroy();
        } else this.#free.push(c);
        this.#next();
      };
      c.connect((err) => {
        if (!err) {
          this.emit('connection', c);
          return done(null, c);
        }
        this.#count--;
        done(err);
        this.#next();
      });
    }
    getConnection(done) {
      if (this.#ended) return void later(() => done(Object.assign(new Error('Pool is closed.'), { code: 'POOL_CLOSED' })));
      this.#waiting.push(done);
      this.#next();
    }
    releaseConnection(c) { c.release(); }
    #through(method, sql, values, done) {
      if (typeof values === 'function') [values, done] = [undefined, values];
      const query = new EventEmitter();
      const end = (err, rows, fields) => {
        if (typeof done === 'function') done(err, rows, fields);
        else if (err && query.listenerCount('error') > 0) query.emit('error', err);
        if (!err) {
          if (fields) query.emit('fields', fields);
          for (const row of Array.isArray(rows) ? rows : [rows]) query.emit('result', row);
        }
        query.emit('end');
      };
      this.getConnection((err, c) => {
        if (err) return end(err);
        c[method](sql, values, (failed, rows, fields) => {
          c.release();
          end(failed, rows, fields);
        });
      });
      return query;
    }
    query(sql, values, done) { return this.#through('query', sql, values, done); }
    execute(sql, values, done) { return this.#through('execute', sql, values, done); }
    end(done) {
      this.#ended = true;
      const free = this.#free.splice(0);
      let left = free.length;
      const end = typeof done === 'function' ? done : () => {};
      if (left === 0) return void later(() => end(null));
      for (const c of free) c.end(() => { if (--left === 0) end(null); });
    }
    escape(v, stringifyObjects, zone) { return escape(v, stringifyObjects || this.config.stringifyObjects, zone || this.config.timezone); }
    escapeId(id, whole) { return escapeId(id, whole); }
    format(sql, values) { return format(sql, values, this.config.stringifyObjects, this.config.timezone); }
    promise() { return promisingPool(this); }
  }

  const promised = (work, ...pick) => new Promise((resolve, reject) => work((err, ...values) => {
    if (err) reject(err);
    else resolve(pick.length > 0 ? pick[0](values) : values[0]);
  }));
  const asked = (on) => ({
    query: (sql, values) => promised((done) => on.query(sql, values, done), ([rows, fields]) => [rows, fields]),
    execute: (sql, values) => promised((done) => on.execute(sql, values, done), ([rows, fields]) => [rows, fields]),
    escape: (v) => on.escape(v),
    escapeId: (id) => on.escapeId(id),
    format: (sql, values) => on.format(sql, values),
    end: () => promised((done) => on.end(done), () => undefined),
    on(name, fn) { on.on(name, fn); return this; },
    once(name, fn) { on.once(name, fn); return this; },
  });
  const promising = (c) => ({
    ...asked(c),
    connection: c,
    config: c.config,
    connect: () => promised((done) => c.connect(done), () => undefined),
    beginTransaction: () => promised((done) => c.beginTransaction(done), () => undefined),
    commit: () => promised((done) => c.commit(done), () => undefined),
    rollback: () => promised((done) => c.rollback(done), () => undefined),
    ping: () => promised((done) => c.ping(done), () => true),
    release: () => c.release(),
    destroy: () => c.destroy(),
    close: () => promised((done) => c.end(done), () => undefined),
    unprepare() {},
  });
  const promisingPool = (pool) => ({
    ...asked(pool),
    pool,
    getConnection: () => promised((done) => pool.getConnection(done), ([c]) => promising(c)),
    releaseConnection: (c) => c.release(),
  });

  const createConnection = (config) => new Connection(config);
  const createPool = (config) => new Pool(config);
  // Old templates call the module itself.
  const mysql = (config) => createConnection(config);
  const Types = {};
  for (const [name, code] of Object.values(names)) Types[name] = code;
  Object.assign(mysql, { createConnection, createPool, escape, escapeId, format, raw, Types });
  if (!second) return mysql;
  const withPromises = {
    createConnection: (config) => {
      const c = createConnection(config);
      return promised((done) => c.connect(done), () => promising(c));
    },
    createPool: (config) => promisingPool(createPool(config)),
    escape, escapeId, format, raw, Types,
  };
  return { mysql, withPromises };
};
const mysqlBoth = () => (mysqlBoth.made ||= mysqlKit(true));
define('mysql', () => mysqlKit(false));
define('mysql2', () => mysqlBoth().mysql);
define('mysql2/promise', () => mysqlBoth().withPromises);
