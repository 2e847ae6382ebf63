// Which native calls the library makes: its binding, with a note taken of each call.
import { binding } from '../../../.unbundled/internal/binding.js';

/** Runs `act`, and returns the arguments of each call to binding[name] meanwhile. */
export function callsOf(name, act) {
  const native = binding[name];
  const calls = [];
  binding[name] = (...args) => {
    calls.push(args);
    return native(...args);
  };
  try {
    act();
  } finally {
    binding[name] = native;
  }
  return calls;
}
