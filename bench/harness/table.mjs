// The report as one table.
import Table from 'cli-table3';

export function duration(nanoseconds) {
  if (nanoseconds < 1e3) return `${nanoseconds.toPrecision(3)} ns`;
  if (nanoseconds < 1e6) return `${(nanoseconds / 1e3).toPrecision(3)} µs`;
  if (nanoseconds < 1e9) return `${(nanoseconds / 1e6).toPrecision(3)} ms`;
  return `${(nanoseconds / 1e9).toPrecision(3)} s`;
}

const number = (ratio) => (ratio >= 100 ? ratio.toFixed(0) : ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2));

export function printTable({ date, node, cpu, cores, kernel, quick, clock, rows }) {
  const table = new Table({
    head: ['Question', 'Case', 'Time', 'Against', 'Time', 'Ratio', 'Quartiles', 'Bar', ''],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const reasons = new Set();
  let last;
  for (const row of rows) {
    const { question, of, against, kind, ratio, spread, bar, met } = row;
    const first = question === last ? '' : question;
    last = question;
    if (row.missing !== undefined) {
      table.push([first, of, '', against, '', 'not here', '', '', '']);
      reasons.add(`${against} is not here: ${row.missing}`);
      continue;
    }
    const [from, to] = spread.map(number);
    table.push([
      first,
      row.collections > 0 ? `${of} (${row.collections} major GCs)` : of,
      duration(row.ns),
      against,
      duration(row.againstNs),
      kind === 'time' ? `${number(ratio)}x the time` : `${number(ratio)}x as fast`,
      `${from} - ${to}`,
      bar === undefined ? '' : `${kind === 'time' ? '<=' : '>='} ${bar}`,
      met === undefined ? '' : met ? 'met' : 'missed',
    ]);
  }
  const how = `${clock === 'cpu' ? ', processor time' : ''}${quick ? ', quick: small files, no bars' : ''}`;
  console.log(`${date}, Node ${node}, ${cpu} (${cores} cores), Linux ${kernel}${how}`);
  console.log(table.toString());
  for (const reason of reasons) console.log(reason);
}
