// The engine does not look at the clock within a walk over an array. No array here
// has that many items, but an empty one may be as long: such walks are refused.
const longest = 2 ** 24;

const within = (o) => {
  if (o !== null && typeof o === 'object' && o.length > longest) throw new RangeError('Arrays here have at most ' + longest + ' items');
};

const { apply } = Reflect;
for (const name of [
  'concat', 'copyWithin', 'every', 'fill', 'filter', 'find', 'findIndex', 'findLast', 'findLastIndex', 'flat', 'flatMap', 'forEach',
  'includes', 'indexOf', 'join', 'lastIndexOf', 'map', 'reduce', 'reduceRight', 'reverse', 'shift', 'slice', 'some', 'sort', 'splice',
  'toLocaleString', 'unshift', 'toReversed', 'toSorted', 'toSpliced', 'with',
]) {
  const native = Array.prototype[name];
  Array.prototype[name] = {
    [name](...args) {
      within(this);
      if (name === 'concat') for (let i = 0; i < args.length; i++) within(args[i]);
      return apply(native, this, args);
    },
  }[name];
}
