// Looking again and again, instead of sleeping.

/** Looks before one gives up: some tens of microseconds. */
export const SPIN = 2000;

/** The first answer that is not undefined. */
export function spun(look, most = SPIN) {
  for (let i = 0; i < most; i++) {
    const answer = look();
    if (answer !== undefined) return answer;
  }
  return undefined;
}
