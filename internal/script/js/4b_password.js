// Password hashes are computed outside, beside JavaScript or while it waits.
function answered({ error, ok }) {
  if (error) throw failed(error);
  return ok;
}

const derive = (what, done) => abroad(heard(done), 'derive', stringify(what));
const deriveNow = (what) => answered(unpack(host('derive.now', stringify(what))));
share({ derive, deriveNow });

// bcryptKit are the modules of the bcrypt family, which differ in their words for
// wrong arguments.
function bcryptKit(illegal) {
  const defaultRounds = 10;
  const salty = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{22}/;
  const invalid = () => new Error('Invalid salt. Salt must be in the form of: $Vers$log2(NumRounds)$saltvalue');
  const roundsOf = (rounds) => {
    if (rounds === undefined || rounds === null) return defaultRounds;
    if (typeof rounds !== 'number') throw new Error('rounds must be a number');
    return rounds;
  };
  const salt = (rounds, minor) => host('salt', roundsOf(rounds), minor === undefined ? 'b' : String(minor));
  const text = (v) => typeof v === 'string' || v instanceof Uint8Array;
  const hashing = (data, how) => {
    if (!text(data) || typeof how !== 'number' && typeof how !== 'string') throw illegal(data, how, 'salt');
    if (typeof how === 'string' && !salty.test(how)) throw invalid();
    return { kind: 'bcrypt', password: bytesOf(data).toBase64(), hash: typeof how === 'number' ? salt(how) : how };
  };
  const comparing = (data, hash) => {
    if (!text(data) || typeof hash !== 'string' && !(hash instanceof Uint8Array)) throw illegal(data, hash, 'hash');
    return { kind: 'bcrypt.compare', password: bytesOf(data).toBase64(), hash: typeof hash === 'string' ? hash : fromUTF8(hash) };
  };
  // Wrong arguments are told as everything else: to the callback or by the promise.
  const beside = (make) => (...args) => {
    const at = args.findIndex((a) => typeof a === 'function');
    const done = at < 0 ? undefined : args[at];
    return either(done, (tell) => {
      let what;
      try {
        what = make(...(at < 0 ? args : args.slice(0, at)));
      } catch (e) {
        return later(tell, e);
      }
      derive(what, tell);
    });
  };
  return {
    genSaltSync: salt,
    genSalt: (...args) => {
      const done = args.find((a) => typeof a === 'function');
      return either(done, (tell) => {
        let made;
        try {
          made = salt(...args.filter((a) => typeof a !== 'function'));
        } catch (e) {
          return later(tell, e);
        }
        later(tell, null, made);
      });
    },
    hashSync: (data, how) => deriveNow(hashing(data, how)),
    hash: beside(hashing),
    compareSync: (data, hash) => deriveNow(comparing(data, hash)),
    compare: beside(comparing),
    getRounds(hash) {
      if (typeof hash !== 'string') throw illegal(hash, hash, 'hash');
      if (!salty.test(hash)) throw new Error('invalid hash provided');
      return Number(hash.slice(4, 6));
    },
    getSalt(hash) {
      if (typeof hash !== 'string' || hash.length !== 60) throw new Error('Illegal hash length: ' + (hash && hash.length) + ' != 60');
      return hash.slice(0, 29);
    },
    truncates: (data) => bytesOf(data).length > 72,
  };
}

define('bcrypt', () => {
  const kit = bcryptKit((data, other, name) => {
    const none = (v) => v === undefined || v === null;
    if (none(data) || none(other)) return new Error('data and ' + name + ' arguments required');
    return new Error(name === 'salt' ? 'data must be a string or Buffer and salt must either be a salt string or a number of rounds' : 'data and hash must be strings');
  });
  const { genSalt, genSaltSync, hash, hashSync, compare, compareSync, getRounds } = kit;
  const bcrypt = { genSalt, genSaltSync, hash, hashSync, compare, compareSync, getRounds };
  return Object.assign(bcrypt, { default: bcrypt });
});

define('bcryptjs', () => {
  const kit = bcryptKit((data, other) => new Error('Illegal arguments: ' + typeof data + ', ' + typeof other));
  return Object.assign(kit, { default: kit });
});

define('argon2', () => {
  const names = ['d', 'i', 'id'];
  const of = (o = {}) => ({
    digest: names[o.type === undefined ? 2 : o.type], n: o.memoryCost === undefined ? 65536 : o.memoryCost, rounds: o.timeCost === undefined ? 3 : o.timeCost,
    p: o.parallelism === undefined ? 4 : o.parallelism, length: o.hashLength === undefined ? 32 : o.hashLength,
  });
  const plain = (b) => b.toString('base64').replace(/=+$/, '');
  const argon2 = {
    argon2d: 0, argon2i: 1, argon2id: 2,
    async hash(password, options = {}) {
      if (options.secret || options.associatedData) throw new Error('argon2 in scripts here has no secret and no associatedData');
      const o = of(options);
      const salt = options.salt ? Buffer.from(options.salt) : Buffer.from(host('random', 16), 'base64');
      const what = { kind: 'argon2', password: bytesOf(password).toBase64(), salt: salt.toString('base64'), ...o };
      const raw = await new Promise((resolve, reject) => derive(what, (err, v) => { if (err) reject(err); else resolve(v); }));
      return options.raw ? raw : '$argon2' + o.digest + '$v=19$m=' + o.n + ',t=' + o.rounds + ',p=' + o.p + '$' + plain(salt) + '$' + plain(raw);
    },
    async verify(hash, password) {
      const what = { kind: 'argon2.verify', password: bytesOf(password).toBase64(), hash: String(hash) };
      return new Promise((resolve, reject) => derive(what, (err, v) => { if (err) reject(err); else resolve(v); }));
    },
    needsRehash(hash, options) {
      const o = of(options);
      return !String(hash).startsWith('$argon2' + o.digest + '$v=19$m=' + o.n + ',t=' + o.rounds + ',p=' + o.p + '$');
    },
  };
  return Object.assign(argon2, { default: argon2 });
});
