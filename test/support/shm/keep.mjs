// What a test made ends with it.

const kept = [];

/** Closes `one` after the test, the last that was kept first. */
export function keep(one) {
  kept.push(one);
  return one;
}

export async function endKept() {
  for (const one of kept.splice(0).toReversed()) await (one[Symbol.asyncDispose] ?? one[Symbol.dispose]).call(one);
}
