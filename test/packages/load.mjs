// Beside the packages, where a runtime looks for them.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A package; undefined where it is not installed, or does not load in this runtime. */
export async function load(name) {
  try {
    return await import(name);
  } catch {
    return undefined;
  }
}

/** The path of a file of an installed package; undefined where it is not there. */
export function installed(path) {
  const whole = fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));
  return existsSync(whole) ? whole : undefined;
}
