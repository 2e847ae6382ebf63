// What is in memory of a mapping, and where that can be otherwise.
import { skip } from '../hooks.mjs';

/** Skips the test where temporary files have no disk: they are in memory always. */
export function needsDisk(context, mapping) {
  if (mapping.filesystem === 'tmpfs') skip(context, 'temporary files are always in memory here');
}

/** Neighbours that differ otherwise are one: [{ offset, length }]. */
export function residentParts({ runs }) {
  const parts = [];
  for (const { offset, length, resident } of runs) {
    if (!resident) continue;
    const last = parts.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else parts.push({ offset, length });
  }
  return parts;
}
