// What surface.mjs is, for 'memmap/store'.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from 'memmap/store';
import * as zoo from './zoo.mjs';

const { boolean, options, word } = zoo;

const folder = mkdtempSync(join(tmpdir(), 'memmap-surface-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** One for all calls: it has been mapped when their traces are counted. */
let open;
function store() {
  open ??= Store.open(join(folder, 'calls.db'));
  open.put('key', Buffer.alloc(1));
  open.getView('key');
  return open;
}
store();

const PATHS = [
  ...zoo.each(zoo.TYPE, [undefined, null, true, 1, 1n, {}, [], Symbol('zoo'), Buffer.from('x')]),
  ...zoo.each(zoo.VALUE, ['', 'a\0b']),
  [new URL('http://localhost/'), 'ERR_INVALID_URL_SCHEME'],
];
const KEYS = [
  ...zoo.each(zoo.TYPE, [undefined, null, true, 1, 1n, {}, [], Symbol('zoo'), new ArrayBuffer(8), new Int8Array(8)]),
  ...zoo.each(zoo.RANGE, ['x'.repeat(65_537), 'é'.repeat(32_769), Buffer.alloc(65_537)]),
  ...zoo.each(zoo.VALUE, ['\ud800', 'a\udc00b']),
];
const VALUES = zoo.each(zoo.TYPE, [undefined, null, true, 1, 'x', {}, [], new ArrayBuffer(8), new Uint16Array(4), new DataView(new ArrayBuffer(8))]);
const CALLBACKS = zoo.each(zoo.TYPE, [undefined, null, 1, 'f', {}, Symbol('zoo')]);
const TIMEOUTS = [...zoo.each(zoo.TYPE, [null, '', '1', 1n, true, {}]), ...zoo.each(zoo.RANGE, [NaN, -1])];
const WASTES = zoo.each(zoo.TYPE, [null, '1', 1n, {}, -1, 2, NaN]);

/** name: [right arguments, wrong values for each of them] */
const METHODS = {
  get: [['key'], [KEYS]],
  getView: [['key'], [KEYS]],
  has: [['key'], [KEYS]],
  put: [['key', Buffer.alloc(1)], [KEYS, VALUES]],
  delete: [['other'], [KEYS]],
  putMany: [[[['key', Buffer.alloc(1)]]], [[
    ...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, [1], [null], ['x'], ...zoo.detached()]),
    ...KEYS.map(([key, code]) => [[[key, Buffer.alloc(1)]], code]), ...VALUES.map(([value, code]) => [[['key', value]], code]),
  ]]],
  transaction: [[() => 1], [CALLBACKS]],
  commit: [[], []],
  commitAsync: [[], []],
  entries: [[{}], [options({ onDamage: zoo.callback }, {})]],
  compact: [[{}], [options({ waste: WASTES, signal: zoo.callback, onProgress: zoo.callback }, {})]],
  check: [[], []],
  stats: [[], []],
};

export const STORE = [
  {
    name: 'Store..open',
    right: () => [join(folder, 'another.db'), {}],
    wrong: [PATHS, [
      ...options({ readOnly: boolean, durability: word, timeout: TIMEOUTS, salvage: boolean }, {}),
      [{ readOnly: true, salvage: true }, zoo.VALUE],
    ]],
    call: (_, args) => Store.open(...args),
  },
  ...Object.entries(METHODS).map(([name, [right, wrong]]) => ({
    name: `Store.${name}`,
    right: () => [...right],
    wrong,
    call: (_, args) => store()[name](...args),
  })),
];

/** The same methods, called with right arguments. */
export const STORE_METHODS = Object.entries(METHODS).map(([name, [right]]) => [name, (subject) => subject[name](...right)]);
