// How figures look.
import Table from 'cli-table3';
import pc from 'picocolors';

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = Math.abs(count);
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${count < 0 ? '-' : ''}${value.toFixed(digits)} ${units[unit]}`;
}

export function duration(nanoseconds) {
  if (nanoseconds < 1e3) return `${nanoseconds.toFixed(1)} ns`;
  if (nanoseconds < 1e6) return `${(nanoseconds / 1e3).toFixed(1)} µs`;
  return `${(nanoseconds / 1e6).toFixed(1)} ms`;
}

export const times = (ratio) => pc.green(`${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1)} times faster`);

/** Prints a heading and a table; the first row is the head. */
export function section(title, rows) {
  const [head, ...body] = rows;
  const table = new Table({
    head: head.map((text) => pc.dim(text)),
    style: { head: [], border: process.stdout.isTTY ? ['gray'] : [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  table.push(...body);
  console.log(`\n${pc.bold(title)}\n${table.toString()}`);
}
