function login(email, password, callback) {
  var mysql = require('mysql');
  var bcrypt = require('bcryptjs');
  var crypto = require('crypto');

  var connection = mysql.createConnection({
    host: configuration.DB_HOST,
    port: configuration.DB_PORT,
    user: configuration.DB_USER,
    password: configuration.DB_PASSWORD,
    database: configuration.DB_NAME
  });
  connection.connect();

  var query = 'SELECT id, email, password, name, given_name, family_name, nickname, picture, email_verified, city, plan FROM users WHERE email = ?';
  connection.query(query, [email], function (err, results) {
    connection.end();
    if (err) return callback(err);
    if (results.length === 0) return callback(new WrongUsernameOrPasswordError(email));

    var user = results[0];
    var wrong = new WrongUsernameOrPasswordError('shop|' + user.id);
    function done(matches) {
      if (!matches) return callback(wrong);
      callback(null, {
        user_id: 'shop|' + user.id.toString(),
        email: user.email,
        email_verified: !!user.email_verified,
        name: user.name,
        given_name: user.given_name,
        family_name: user.family_name,
        nickname: user.nickname,
        picture: user.picture,
        user_metadata: { city: user.city },
        app_metadata: { plan: user.plan }
      });
    }

    var parts = user.password.split('$');
    switch (parts[0]) {
      case 'pbkdf2':
        var key = crypto.pbkdf2Sync(password, parts[2], Number(parts[1]), 32, 'sha256');
        return done(crypto.timingSafeEqual(key, Buffer.from(parts[3], 'base64')));
      case 'sha256':
        return done(crypto.createHash('sha256').update(parts[1]).update(password, 'utf8').digest('hex') === parts[2]);
      default:
        return bcrypt.compare(password, user.password).then(done, callback);
    }
  });
}
