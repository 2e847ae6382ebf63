// Wrong arguments, by what the parameter is. A kind is a list of [wrong value, expected code].

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';
const FOREIGN = 'ERR_MEMMAP_FOREIGN_ADDRESS';

/** More bytes than what the calls act on has. */
const MUCH = 2 ** 20;

/** What a getter of the zoo throws: it must arrive as it is. */
export const BOOM = Object.assign(new Error('a getter threw'), { code: 'BOOM' });

const all = (code, values) => values.map((value) => [value, code]);
const thrower = () => {
  throw BOOM;
};

const STRANGE = [null, '', '4096', true, {}, [], [4096], Symbol('zoo'), () => 4096];
const NOT_INTEGERS = [NaN, 1.5, -1.5, Infinity, -Infinity];

/** An integer from `min` to `max`. */
export const integer = (min = 0, max = Number.MAX_SAFE_INTEGER) => [
  ...all(TYPE, [undefined, ...STRANGE, 1n]),
  ...all(RANGE, [...NOT_INTEGERS, min - 1, max + 1, Number.MAX_VALUE]),
];
export const optional = (kind) => kind.filter(([value]) => value !== undefined);

export const bytes = integer();
export const flags = integer(0, 2 ** 32 - 1);
export const descriptor = integer(0, 2 ** 31 - 1);
export const boolean = all(TYPE, [null, 0, 1, '', 'true', 1n, {}, [], Symbol('zoo'), () => true]);
export const word = all(VALUE, [null, '', 'Nonsense', 'toString', '__proto__', 0, 1n, true, {}, [], Symbol('zoo')]);
export const callback = all(TYPE, [null, 0, 'f', {}, [], Symbol('zoo')]);

/** An address that may be anywhere: a hint. */
export const hint = [
  ...all(TYPE, [undefined, '', '4096', true, {}, [], Symbol('zoo'), () => 0]),
  ...all(RANGE, [...NOT_INTEGERS, -1, 2 ** 53, -1n, 2n ** 64n]),
];

/** A buffer, and views over it: what iterates over one gets an error of the engine. */
export function detached() {
  const buffer = new ArrayBuffer(MUCH);
  const view = new Uint8Array(buffer);
  const words = new DataView(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  return [buffer, view, words];
}

/** An address of memory that is memmap's. */
export const where = [
  [null, TYPE],
  ...hint,
  ...all(FOREIGN, [0, 4096, 0n, 4096n, 2n ** 63n, 2n ** 64n - 1n]),
  ...all(FOREIGN, [new ArrayBuffer(MUCH), new SharedArrayBuffer(MUCH), Buffer.alloc(MUCH), new Float64Array(MUCH)]),
  ...all(FOREIGN, [new DataView(new ArrayBuffer(MUCH)), ...detached()]),
];

/** An object with these options: `{ name: kind }`, and the right ones of a call that works. */
export function options(kinds, right = {}) {
  const [first = 'length'] = Object.keys(kinds);
  const cases = [
    ...all(TYPE, [null, 0, 4096, '', 'x', 1n, true, [], Symbol('zoo'), () => ({})]),
    [{ ...right, nonsense: 1 }, VALUE],
    [{ ...right, [first.toUpperCase()]: 1 }, VALUE],
    [Object.create({ ...right, nonsense: 1 }), VALUE],
  ];
  for (const [name, kind] of Object.entries(kinds)) {
    cases.push([Object.defineProperty({ ...right }, name, { get: thrower, enumerable: true }), 'BOOM']);
    for (const [value, code] of kind) {
      if (value !== undefined) cases.push([{ ...right, [name]: value }, code]);
    }
  }
  return cases;
}

/** A part of a mapping of `size` bytes. */
export const range = (size, more = {}) => [
  ...options({ offset: bytes, length: bytes, ...more }),
  ...all(RANGE, [
    { offset: size + 1 },
    { length: size + 1 },
    { offset: size, length: 1 },
    { offset: 4096, length: size },
    { offset: 2 ** 32 + 4096 },
    { length: 2 ** 32 + 4096 },
    { offset: Number.MAX_SAFE_INTEGER, length: Number.MAX_SAFE_INTEGER },
  ]),
];

/** A part that must be whole pages, and named. */
export const pages = (size) => [
  [undefined, TYPE],
  ...range(size),
  ...all(RANGE, [{ offset: 1 }, { offset: 0, length: 1 }, { offset: 4096, length: 4095 }]),
];

/** Any other list: `one(TYPE, [...])`. */
export { all as each, FOREIGN, RANGE, TYPE, VALUE };
