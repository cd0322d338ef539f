async function getUser(email, callback) {
  const mysql = require('mysql2/promise');
  const connection = await mysql.createConnection({
    host: configuration.DB_HOST, port: Number(configuration.DB_PORT), user: configuration.DB_USER,
    password: configuration.DB_PASSWORD, database: configuration.DB_NAME
  });
  const [rows] = await connection.execute('SELECT * FROM users WHERE email = ?', [email]);
  await connection.end();
  if (!rows.length) return callback(null);
  const user = rows[0];
  callback(null, {
    user_id: 'shop|' + user.id, email: user.email, email_verified: Boolean(user.email_verified), name: user.name,
    given_name: user.given_name, family_name: user.family_name, nickname: user.nickname, picture: user.picture,
    user_metadata: { city: user.city }, app_metadata: { plan: user.plan }
  });
}
