// Numbers as people read them.
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export const count = (number: number): string => number.toLocaleString('en-US');

/** '1.50 GiB': three digits that count, and as many more as asked for. */
export function bytes(number: number, more = 0): string {
  let unit = 0;
  let value = number;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  const digits = (value >= 100 ? 0 : value >= 10 ? 1 : 2) + more;
  return `${value.toFixed(unit === 0 || Number.isInteger(value) ? 0 : digits)} ${UNITS[unit]}`;
}

/** With as many digits as tell the ends apart. */
export function range(from: number, to: number): string {
  let more = 0;
  while (more < 12 && bytes(from, more) === bytes(to, more)) more++;
  return `${bytes(from, more)} – ${bytes(to, more)}`;
}

/** What is not all is never 100%, and what is not nothing never 0%. */
export function percent(part: number, whole: number): string {
  if (part === whole || part === 0) return part === 0 ? '0%' : '100%';
  return `${Math.min(99.9, Math.max(0.1, (100 * part) / whole)).toFixed(1)}%`;
}
