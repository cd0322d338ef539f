// What mssql and tedious have in common: names of types, values, sessions, errors
// (foreigndb/sqlserversession.go).
const sqlServerTypes = () => {
  const types = {};
  for (const name of [
    'VarChar', 'NVarChar', 'Char', 'NChar', 'Text', 'NText', 'Xml', 'Int', 'BigInt', 'SmallInt', 'TinyInt', 'Bit', 'Float', 'Real', 'Decimal', 'Numeric', 'Money', 'SmallMoney',
    'Date', 'DateTime', 'DateTime2', 'DateTimeOffset', 'SmallDateTime', 'Time', 'UniqueIdentifier', 'UniqueIdentifierN', 'Binary', 'VarBinary', 'Image', 'Variant', 'Null',
  ]) {
    const type = (length, scale) => ({ type, length, scale });
    defineProperty(type, 'name', { value: name });
    type.declaration = name.toLowerCase().replace('identifiern', 'identifier');
    types[name] = type;
  }
  return types;
};

const sqlServerParam = (name, type, value) => {
  const declared = typeof type === 'function' ? type.declaration : type && typeof type === 'object' && typeof type.type === 'function' ? type.type.declaration : '';
  if (value === undefined) value = null;
  if (declared === 'time' && value instanceof Date) value = value.toISOString().slice(11, 23);
  else if (declared === 'null') value = null;
  return { name: String(name).replace(/^@/, ''), type: declared === 'variant' || declared === 'null' ? '' : declared || '', value };
};

const sqlServerValue = (type, value) => {
  switch (type) {
    case 'decimal': case 'numeric': case 'money': case 'smallmoney':
      return value === null ? null : Number(value);
  }
  return value;
};

const sqlServerError = (name, err) => {
  const e = new Error(err.message);
  defineProperty(e, 'name', { value: name, configurable: true, writable: true });
  for (const k of Object.keys(err)) e[k] = err[k];
  e.originalError = err;
  if (err.code === 'ETIMEDOUT') e.code = 'ETIMEOUT';
  else if (/^(?:ECONNRE|EHOST|ENET|ENOTFOUND|EPIPE|EACCES|EADDR|EPROTO|ERR_TLS|ERR_INVALID_URL|CERT_|UNABLE_)/.test(String(err.code))) e.code = 'ESOCKET';
  return e;
};

// sqlServerConfig are the members that Go reads, of the many shapes that there are.
const sqlServerConfig = (config) => {
  if (typeof config === 'string') return { text: config };
  if (config === null || typeof config !== 'object') throw new TypeError('The "config" argument is required and must be of type Object.');
  if (typeof config.connectionString === 'string') return { text: config.connectionString };
  const o = config.options || {};
  const auth = config.authentication || {};
  const who = auth.options || {};
  const text = (...list) => {
    for (const v of list) if (v !== undefined && v !== null && v !== '') return String(v);
    return '';
  };
  const secure = o.cryptoCredentialsDetails || {};
  const encrypt = config.encrypt !== undefined ? config.encrypt : o.encrypt;
  return {
    server: text(config.server, config.host).replace(/^tcp:/i, ''), port: Number(config.port || o.port) | 0,
    user: text(config.user, config.userName, who.userName), password: text(config.password, who.password), database: text(config.database, o.database),
    encrypt: encrypt === undefined || encrypt === null ? undefined : Boolean(encrypt),
    trust: Boolean(config.trustServerCertificate || o.trustServerCertificate),
    ca: [].concat(secure.ca || []).map((c) => (c instanceof Uint8Array ? fromUTF8(c) : String(c))).join('\n'),
    instance: text(o.instanceName, config.instanceName), domain: text(config.domain, o.domain, who.domain), auth: text(auth.type),
    timeout: Number(config.connectionTimeout || config.connectTimeout || o.connectTimeout) | 0,
  };
};

// mssql, versions 4 and later; recordsets came alone to the callbacks of version 3.
define('mssql', () => {
  const { EventEmitter } = load('events');
  const TYPES = sqlServerTypes();
  const MAX = 65535;
  const broken = (code, message, name = 'ConnectionError') => sqlServerError(name, Object.assign(new Error(message), { code }));

  const readSet = (set) => {
    const list = set.rows.map((row) => {
      const out = {};
      for (let i = 0; i < row.length; i++) {
        const { name, type } = set.columns[i];
        const value = sqlServerValue(type, row[i]);
        const before = Object.getOwnPropertyDescriptor(out, name);
        // Columns of one name are a list.
        const now = before === undefined ? value : Array.isArray(before.value) ? [...before.value, value] : [before.value, value];
        defineProperty(out, name, { value: now, enumerable: true, writable: true, configurable: true });
      }
      return out;
    });
    const columns = {};
    set.columns.forEach(({ name, type }, index) => { columns[name] = { index, name, type: TYPES[Object.keys(TYPES).find((t) => t.toLowerCase() === type)] }; });
    defineProperty(list, 'columns', { value: columns });
    defineProperty(list, 'toTable', { value: () => { throw broken('ENOTSUPPORTED', 'tables are not supported here', 'RequestError'); } });
    return list;
  };

  let shared; // the pool of sql.connect

  class ConnectionPool extends EventEmitter {
    #config;
    #session;
    #opening;
    connected = false;
    connecting = false;
    constructor(config, done) {
      super();
      this.#config = sqlServerConfig(config);
      if (typeof done === 'function') this.connect(done);
    }
    get healthy() { return this.connected; }
    connect(done) {
      return either(done, (cb) => {
        if (this.connected) return later(() => cb(null, this));
        if (this.#opening) return void this.#opening.push(cb);
        this.#opening = [cb];
        this.connecting = true;
        this.#session = database('mssql', this.#config);
        this.#session.open((err) => {
          const waiting = this.#opening;
          this.#opening = undefined;
          this.connecting = false;
          this.connected = !err;
          for (const w of waiting) w(err ? sqlServerError('ConnectionError', err) : null, err ? undefined : this);
        });
      });
    }
    ask(what, done) {
      if (!this.connected) return later(() => done(broken('ECONNCLOSED', 'Connection is closed.')));
      this.#session.do('query', what, (err, v) => done(err ? sqlServerError('RequestError', err) : null, v));
    }
    request() { return new Request(this); }
    transaction() { return new Transaction(this); }
    query(...args) { return templated(this.request(), args); }
    batch(...args) { return this.request().batch(...args); }
    close(done) {
      return either(done, (cb) => {
        if (!this.connected) return later(() => cb(null));
        this.connected = false;
        if (shared === this) shared = undefined;
        this.#session.close(() => cb(null));
      });
    }
  }

  // A template's values become parameters.
  const templated = (request, [first, ...rest]) => {
    if (!first || !Array.isArray(first.raw)) return request.query(first, ...rest);
    let text = first[0];
    rest.forEach((value, i) => {
      const name = 'param' + (i + 1);
      if (Array.isArray(value)) {
        text += value.map((v, j) => { request.input(name + '_' + j, v); return '@' + name + '_' + j; }).join(',');
      } else {
        request.input(name, value);
        text += '@' + name;
      }
      text += first[i + 1];
    });
    return request.query(text);
  };

  class Request extends EventEmitter {
    #pool;
    constructor(parent) {
      super();
      this.#pool = parent instanceof Transaction || parent instanceof PreparedStatement ? parent.parent : parent;
      this.parameters = {};
      this.stream = false;
    }
    get pool() { return this.#pool || shared; }
    input(name, type, value) {
      if (arguments.length < 2) throw broken('EARGS', 'Invalid number of arguments. At least 2 arguments expected.', 'RequestError');
      if (arguments.length === 2) [type, value] = [undefined, type];
      name = String(name).replace(/^@/, '');
      if (this.parameters[name]) throw broken('EDUPEPARAM', "The parameter name '" + name + "' has already been declared. Parameter names must be unique", 'RequestError');
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw broken('EINJECT', 'SQL injection warning', 'RequestError');
      this.parameters[name] = { name, type, value, io: 1 };
      return this;
    }
    replaceInput(name, ...rest) {
      delete this.parameters[String(name).replace(/^@/, '')];
      return this.input(name, ...rest);
    }
    output() { throw broken('ENOTSUPPORTED', 'output parameters are not supported here: SELECT their values', 'RequestError'); }
    query(text, ...rest) {
      if (text && Array.isArray(text.raw)) return templated(this, [text, ...rest]);
      return this.#run(String(text), false, rest[0]);
    }
    batch(text, done) { return this.#run(String(text), false, done); }
    execute(name, done) { return this.#run(String(name), true, done); }
    #run(text, procedure, done) {
      return either(done, (cb) => {
        const pool = this.pool;
        if (!pool) return later(() => cb(broken('ENOCONN', 'No connection is specified for that request.', 'RequestError')));
        const params = Object.values(this.parameters).map((p) => sqlServerParam(p.name, p.type, p.value));
        pool.ask({ text, procedure, params }, (err, answer) => {
          if (err) {
            if (this.stream || this.listenerCount('error') > 0) this.emit('error', err);
            if (this.stream) this.emit('done', { output: {}, rowsAffected: [] });
            return cb(err);
          }
          const recordsets = answer.sets.map(readSet);
          const result = { recordsets, recordset: recordsets[0], output: {}, rowsAffected: answer.affected };
          if (procedure) result.returnValue = answer.status;
          if (this.stream) {
            for (const set of recordsets) {
              this.emit('recordset', set.columns);
              for (const row of set) this.emit('row', row);
            }
            this.emit('done', result);
          }
          cb(null, result);
        });
      });
    }
    cancel() {}
    pause() {}
    resume() {}
  }

  class Transaction extends EventEmitter {
    constructor(pool) {
      super();
      this.parent = pool || shared;
      this.isolationLevel = undefined;
    }
    #do(text, event, done) { return either(done, (cb) => this.parent.ask({ text, params: [] }, (err) => { if (!err) this.emit(event); cb(err, this); })); }
    begin(level, done) {
      if (typeof level === 'function') [level, done] = [undefined, level];
      const name = ISOLATION_LEVEL_NAMES[level === undefined ? this.isolationLevel : level];
      return this.#do((name ? 'SET TRANSACTION ISOLATION LEVEL ' + name + '; ' : '') + 'BEGIN TRANSACTION', 'begin', done);
    }
    commit(done) { return this.#do('COMMIT TRANSACTION', 'commit', done); }
    rollback(done) { return this.#do('IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION', 'rollback', done); }
    request() { return new Request(this); }
  }
  const ISOLATION_LEVEL = { READ_UNCOMMITTED: 1, READ_COMMITTED: 2, REPEATABLE_READ: 3, SERIALIZABLE: 4, SNAPSHOT: 5 };
  const ISOLATION_LEVEL_NAMES = ['', 'READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE', 'SNAPSHOT'];

  class PreparedStatement extends EventEmitter {
    #inputs = [];
    #text;
    constructor(pool) {
      super();
      this.parent = pool || shared;
    }
    input(name, type) { this.#inputs.push([String(name), type]); return this; }
    prepare(text, done) { return either(done, (cb) => { this.#text = String(text); later(() => cb(null, this)); }); }
    execute(values, done) {
      const request = new Request(this);
      for (const [name, type] of this.#inputs) request.input(name, type, values[name]);
      return request.query(this.#text, done);
    }
    unprepare(done) { return either(done, (cb) => later(() => cb(null))); }
  }

  const connect = (config, done) => either(done, (cb) => {
    if (!shared) {
      try {
        shared = new ConnectionPool(config);
      } catch (e) {
        return later(() => cb(e));
      }
    }
    const pool = shared;
    pool.connect((err, v) => {
      if (err && shared === pool) shared = undefined;
      cb(err, v);
    });
  });

  const exports = {
    ConnectionPool, Connection: ConnectionPool, Request, Transaction, PreparedStatement, TYPES, MAX, ISOLATION_LEVEL, ...TYPES, connect,
    close: (done) => (shared ? shared.close(done) : either(done, (cb) => later(() => cb(null)))),
    query: (...args) => templated(new Request(), args),
    batch: (...args) => new Request().batch(...args),
    on() { return exports; },
  };
  for (const name of Object.keys(TYPES)) exports[name.toUpperCase()] = TYPES[name];
  exports.default = exports;
  return exports;
});

// tedious, as its versions 1 to 18 are used: a connection that nobody opens opens itself,
// as it did before version 9.
define('tedious', () => {
  const { EventEmitter } = load('events');
  const TYPES = sqlServerTypes();

  class Request extends EventEmitter {
    constructor(text, callback) {
      super();
      this.sqlTextOrProcedure = text;
      this.callback = callback;
      this.parameters = [];
      this.userCallback = callback;
    }
    addParameter(name, type, value, options) {
      this.parameters.push({ name: String(name).replace(/^@/, ''), type, value, ...options });
    }
    addOutputParameter() { throw new Error('output parameters are not supported here: SELECT their values'); }
    setTimeout() {}
    pause() {}
    resume() {}
    cancel() {}
  }

  const readRows = (set, named) => set.rows.map((row) => {
    const cells = row.map((value, i) => ({ metadata: metadata(set.columns[i]), value: sqlServerValue(set.columns[i].type, value) }));
    // Templates call the cells of a plain row by name, too.
    const out = named ? {} : cells;
    for (const cell of cells) {
      const name = cell.metadata.colName;
      if (named ? !Object.hasOwn(out, name) : !(name in out)) defineProperty(out, name, { value: cell, enumerable: named, writable: true, configurable: true });
    }
    return out;
  });
  const metadata = ({ name, type }) => ({ colName: name, type: { name: type }, dataLength: undefined, precision: undefined, scale: undefined });

  class Connection extends EventEmitter {
    #config;
    #session;
    #opening = false;
    #opened; // {err}
    #closed = false;
    constructor(config) {
      super();
      this.#config = sqlServerConfig(config);
      this.options = (config && config.options) || {};
      later(() => { if (!this.#closed) this.#open(); });
    }
    #open(done) {
      if (done) this.once('connect', done);
      if (this.#opened) return later(() => this.emit('connect', this.#opened.err));
      if (this.#opening) return;
      this.#opening = true;
      this.#session = database('mssql', this.#config);
      this.#session.open((err) => {
        this.#opened = { err: err ? sqlServerError('ConnectionError', err) : undefined };
        this.emit('connect', this.#opened.err);
      });
    }
    connect(done) { this.#open(done); }
    #run(request, procedure, text) {
      const finish = (err, rowCount, rows) => {
        if (err) request.error = err;
        if (request.callback) request.callback(err, rowCount, rows);
        request.emit('requestCompleted');
      };
      if (!this.#opened || this.#opened.err || this.#closed) {
        const e = sqlServerError('RequestError', Object.assign(new Error('Requests can only be made in the LoggedIn state, not the ' + (this.#closed ? 'Final' : 'Connecting') + ' state'), { code: 'EINVALIDSTATE' }));
        return later(() => finish(e));
      }
      const params = request.parameters.map((p) => sqlServerParam(p.name, p.type, p.value));
      this.#session.do('query', { text: String(text), procedure, params }, (err, answer) => {
        if (err) return finish(sqlServerError('RequestError', err));
        const { useColumnNames, rowCollectionOnRequestCompletion, rowCollectionOnDone } = this.options;
        let all = [];
        answer.sets.forEach((set, i) => {
          const columns = set.columns.map(metadata);
          request.emit('columnMetadata', useColumnNames ? Object.fromEntries(columns.map((c) => [c.colName, c])) : columns);
          const rows = readRows(set, Boolean(useColumnNames));
          for (const row of rows) request.emit('row', row);
          request.emit(params.length || procedure ? 'doneInProc' : 'done', rows.length, i + 1 < answer.sets.length, rowCollectionOnDone ? rows : []);
          all = all.concat(rows);
        });
        if (procedure || params.length) request.emit('doneProc', undefined, false, answer.status, []);
        finish(undefined, answer.affected.reduce((n, k) => n + k, 0), rowCollectionOnRequestCompletion === false ? [] : all);
      });
    }
    execSql(request) { this.#run(request, false, request.sqlTextOrProcedure); }
    execSqlBatch(request) { this.#run(request, false, request.sqlTextOrProcedure); }
    callProcedure(request) { this.#run(request, true, request.sqlTextOrProcedure); }
    prepare(request) { later(() => request.emit('prepared')); }
    execute(request, values) {
      for (const p of request.parameters) if (values && p.name in values) p.value = values[p.name];
      this.execSql(request);
    }
    unprepare(request) { later(() => request.emit('requestCompleted')); }
    #statement(text, done) { this.execSqlBatch(new Request(text, (err) => done && done(err))); }
    beginTransaction(done) { this.#statement('BEGIN TRANSACTION', done); }
    commitTransaction(done) { this.#statement('COMMIT TRANSACTION', done); }
    rollbackTransaction(done) { this.#statement('IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION', done); }
    reset(done) { later(() => done && done()); }
    cancel() { return false; }
    close() {
      if (this.#closed) return;
      this.#closed = true;
      if (this.#session) this.#session.close(() => this.emit('end'));
      else later(() => this.emit('end'));
    }
  }

  const ISOLATION_LEVEL = { NO_CHANGE: 0, READ_UNCOMMITTED: 1, READ_COMMITTED: 2, REPEATABLE_READ: 3, SERIALIZABLE: 4, SNAPSHOT: 5 };
  return { Connection, Request, TYPES, ISOLATION_LEVEL, TDS_VERSION: { '7_1': 0x71000001, '7_2': 0x72090002, '7_3_A': 0x730A0003, '7_3_B': 0x730B0003, '7_4': 0x74000004 }, connect: (config, done) => { const c = new Connection(config); c.connect(done); return c; } };
});
