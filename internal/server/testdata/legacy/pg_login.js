function login(email, password, callback) {
  const bcrypt = require('bcrypt');
  const crypto = require('crypto');
  const { Client } = require('pg');

  const client = new Client({ connectionString: configuration.DATABASE_URL });
  const columns = 'id, email, password, name, given_name, family_name, nickname, picture, email_verified, city, plan';

  function profile(user) {
    return {
      user_id: 'shop|' + user.id,
      email: user.email,
      email_verified: user.email_verified,
      name: user.name,
      given_name: user.given_name,
      family_name: user.family_name,
      nickname: user.nickname,
      picture: user.picture,
      user_metadata: { city: user.city },
      app_metadata: { plan: user.plan }
    };
  }

  client.connect(function (err) {
    if (err) return callback(err);
    client.query('SELECT ' + columns + ' FROM users WHERE LOWER(email) = LOWER($1)', [email], function (err, result) {
      client.end();
      if (err) return callback(err);
      if (result.rows.length === 0) return callback(new WrongUsernameOrPasswordError(email, 'Nobody has this address.'));

      const user = result.rows[0];
      const wrong = new WrongUsernameOrPasswordError('shop|' + user.id, 'The password is wrong.');
      const parts = user.password.split('$');

      if (parts[0] === 'pbkdf2') {
        return crypto.pbkdf2(password, parts[2], parseInt(parts[1], 10), 32, 'sha256', function (err, key) {
          if (err) return callback(err);
          return key.toString('base64') === parts[3] ? callback(null, profile(user)) : callback(wrong);
        });
      }
      if (parts[0] === 'sha256') {
        const digest = crypto.createHash('sha256').update(parts[1] + password).digest('hex');
        return digest === parts[2] ? callback(null, profile(user)) : callback(wrong);
      }
      bcrypt.compare(password, user.password, function (err, matches) {
        if (err) return callback(err);
        return matches ? callback(null, profile(user)) : callback(wrong);
      });
    });
  });
}
