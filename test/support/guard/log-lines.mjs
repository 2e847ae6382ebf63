// The lines of a log under test: each tells its number, twice, and none is like another.

export const lineOf = (number) => `${number} ${'abcdefghij'.repeat(number % 23)} ${number}`;

/** The number of a line, or undefined if it is not one, torn, or with zeros in it. */
export function numberOf(line) {
  const number = Number.parseInt(line, 10);
  return line === lineOf(number) ? number : undefined;
}
