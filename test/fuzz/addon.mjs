// The addon that the package has loaded, and every function of it.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const path = process.env.MEMMAP_ADDON ?? require('node-gyp-build').path(fileURLToPath(new URL('../..', import.meta.url)));

export const native = require(path);
export const EXPORTS = Object.keys(native).filter((name) => typeof native[name] === 'function');
