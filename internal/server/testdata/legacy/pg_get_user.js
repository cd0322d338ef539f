async function getByEmail(email, callback) {
  const { Pool } = require('pg@8.7.1');
  const pool = new Pool({ connectionString: configuration.DATABASE_URL });
  try {
    const { rows } = await pool.query('SELECT id, email, name, given_name, family_name, nickname, picture, email_verified, city, plan FROM users WHERE LOWER(email) = LOWER($1)', [email]);
    if (rows.length === 0) return callback(null);
    const { id, city, plan, ...rest } = rows[0];
    return callback(null, { user_id: `shop|${id}`, ...rest, user_metadata: { city }, app_metadata: { plan } });
  } catch (err) {
    return callback(err);
  } finally {
    pool.end();
  }
}
