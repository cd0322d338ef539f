// assert: what does not hold is thrown.
define('assert', () => {
  const { isDeepStrictEqual, inspect } = load('util');

  class AssertionError extends Error {
    constructor({ message, actual, expected, operator }) {
      super(message);
      defineProperty(this, 'name', { value: 'AssertionError', configurable: true, writable: true });
      Object.assign(this, { code: 'ERR_ASSERTION', actual, expected, operator });
    }
  }
  const refuse = (message, usual, what) => {
    if (message instanceof Error) throw message;
    throw new AssertionError({ message: message === undefined ? usual : String(message), ...what });
  };
  const both = (operator, holds, words) => (actual, expected, message) => {
    if (!holds(actual, expected)) refuse(message, words(inspect(actual), inspect(expected)), { actual, expected, operator });
  };

  const ok = (actual, message) => {
    if (!actual) refuse(message, 'The expression evaluated to a falsy value', { actual, expected: true, operator: '==' });
  };
  const assert = (actual, message) => ok(actual, message);
  Object.assign(assert, {
    AssertionError, ok,
    equal: both('==', (a, b) => a == b || (a !== a && b !== b), (a, b) => a + ' == ' + b),
    notEqual: both('!=', (a, b) => a != b && !(a !== a && b !== b), (a, b) => a + ' != ' + b),
    strictEqual: both('strictEqual', Object.is, (a, b) => 'Expected values to be strictly equal: ' + a + ' !== ' + b),
    notStrictEqual: both('notStrictEqual', (a, b) => !Object.is(a, b), (a) => 'Expected "actual" to be strictly unequal to: ' + a),
    deepStrictEqual: both('deepStrictEqual', isDeepStrictEqual, (a, b) => 'Expected values to be strictly deep-equal: ' + a + ' !== ' + b),
    notDeepStrictEqual: both('notDeepStrictEqual', (a, b) => !isDeepStrictEqual(a, b), (a) => 'Expected "actual" not to be strictly deep-equal to: ' + a),
    fail(message) { refuse(message, 'Failed', { operator: 'fail' }); },
    ifError(err) {
      if (err !== undefined && err !== null) refuse(undefined, 'ifError got unwanted exception: ' + (err.message || inspect(err)), { actual: err, expected: null, operator: 'ifError' });
    },
  });
  return assert;
});
