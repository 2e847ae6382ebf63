// The resident parts of what residency() found.

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
