// Which pages of a file are in memory, before and after touching some.
import { mapFile } from 'memmap';
import pc from 'picocolors';

const WIDTH = 48;

/** The mapping as a strip: each cell a part of it, dark where pages are in memory. */
function strip({ runs }, length) {
  const resident = new Float64Array(WIDTH);
  const cell = length / WIDTH;
  for (const run of runs) {
    if (!run.resident) continue;
    const last = Math.min(WIDTH - 1, Math.floor((run.offset + run.length - 1) / cell));
    for (let i = Math.floor(run.offset / cell); i <= last; i++) {
      const from = Math.max(run.offset, i * cell);
      const to = Math.min(run.offset + run.length, (i + 1) * cell);
      resident[i] += (to - from) / cell;
    }
  }
  return pc.cyan(Array.from(resident, (part) => ' ░▒▓█'[Math.ceil(Math.min(1, part) * 4)]).join(''));
}

export function presence(path) {
  const file = mapFile(path, { advice: 'random' });
  try {
    const row = (when) => {
      const found = file.residency();
      return [when, strip(found, file.length), `${found.resident.toLocaleString('en')} of ${found.pages.toLocaleString('en')}`];
    };
    const rows = [['When', 'From first page to last', 'Pages']];
    rows.push(row('after the copy'));
    file.evict();
    rows.push(row('after evict()'));
    const { pageSize } = file.residency({ offset: 0, length: 1 });
    const third = Math.floor(file.length / 3);
    for (let offset = third; offset < 2 * third; offset += pageSize * 2) file.bytes[offset];
    rows.push(row('every other page of a third read'));
    file.populate();
    rows.push(row('after populate()'));
    return rows;
  } finally {
    file.close();
  }
}
