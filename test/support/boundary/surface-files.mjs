// What calls on many files and on dumps need, and wrong arguments for them: see surface.mjs.
import * as memmap from 'memmap';
import * as zoo from './zoo.mjs';

const { bytes, integer, options } = zoo;

const [NOT_TEXT, NOT_NUMBERS, NOT_LISTS] = [[1], ['1'], ['x', {}]].map((values) => zoo.each(zoo.TYPE, [null, true, 1n, ...values]));
const MANY = [
  ...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, Symbol('zoo'), new Uint8Array(1), [1], [null], ['x', undefined]]),
  ...zoo.each(zoo.VALUE, [[''], ['a\0b']]), [{ get [Symbol.iterator]() { throw zoo.BOOM; } }, 'BOOM'],
];
const DUMP = { path: '/no/such/file', size: 4, modified: 1, runs: [] };

export const FACADE_FILES = {
  restore: [({ path }) => [memmap.dump(path), {}], [
    [
      ...options({ path: NOT_TEXT, size: bytes, modified: NOT_NUMBERS, runs: NOT_LISTS }, DUMP).filter(([value]) => value !== undefined),
      ...zoo.each(zoo.TYPE, [undefined, {}, { ...DUMP, runs: [null] }, { ...DUMP, runs: [{ offset: 0 }] }]),
      ...zoo.each(zoo.RANGE, [
        { ...DUMP, runs: [{ offset: 5, length: 1 }] }, { ...DUMP, runs: [{ offset: 0, length: 0 }] },
        { ...DUMP, runs: [{ offset: 1, length: Number.MAX_SAFE_INTEGER }] },
      ]),
    ],
    options({ rate: integer(1), signal: zoo.callback, onProgress: zoo.callback }),
  ]],
  touch: [({ path }) => [[path], {}], [
    MANY,
    options({ offset: bytes, length: bytes, rate: integer(1), signal: zoo.callback, onFile: zoo.callback, onProgress: zoo.callback }),
  ]],
  residencyOfAll: [({ path }) => [[path], {}], [MANY, options({ offset: bytes, length: bytes, signal: zoo.callback, onFile: zoo.callback })]],
  dumpAll: [({ path }) => [[path], {}], [MANY, options({ signal: zoo.callback, onFile: zoo.callback })]],
  restoreAll: [({ path }) => [[memmap.dump(path)], {}], [
    [
      ...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, Symbol('zoo'), new Uint8Array(1), [1], [null], [{}], [{ ...DUMP, runs: [null] }]]),
      ...zoo.each(zoo.RANGE, [[{ ...DUMP, size: -1 }], [{ ...DUMP, runs: [{ offset: 5, length: 1 }] }]]),
      [{ get [Symbol.iterator]() { throw zoo.BOOM; } }, 'BOOM'],
    ],
    options({ rate: integer(1), signal: zoo.callback, onFile: zoo.callback, onProgress: zoo.callback }),
  ]],
};
