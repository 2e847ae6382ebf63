// Random content that is the same in every run.

/** Returns next(n): an integer in [0, n). */
export function seeded(seed) {
  let state = seed >>> 0;
  return (n) => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

/** `length` bytes, each one of `alphabet`. */
export function randomBytes(length, alphabet, seed) {
  const next = seeded(seed);
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = alphabet[next(alphabet.length)];
  return bytes;
}
