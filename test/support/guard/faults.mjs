// Kinds of faults: how a mapping gets pages that an access cannot use.
import { truncateSync } from 'node:fs';

export const LENGTH = 2 ** 18;
/** Where a truncated file ends: inside a page. */
export const KEPT = 5000;

const kept = (data) => data.subarray(0, KEPT);
const zeroed = (data) => Buffer.concat([kept(data), Buffer.alloc(LENGTH - KEPT)]);
const zeros = () => Buffer.alloc(LENGTH);
const same = (data) => data;

const truncated = {
  dies: 'SIGBUS',
  field: 'truncated',
  code: 'ERR_MEMMAP_TRUNCATED',
  cause: (mapping) => truncateSync(mapping.path, KEPT),
  shows: zeroed,
  file: kept,
};
const violation = { dies: 'SIGSEGV', field: 'violations', file: same };
const readOnly = { ...violation, code: 'ERR_MEMMAP_READ_ONLY', shows: same };
const noAccess = {
  ...violation,
  code: 'ERR_MEMMAP_NO_ACCESS',
  access: 'read-write',
  cause: (mapping) => mapping.protect('none'),
  shows: zeros,
};
const closed = {
  field: 'afterClose',
  code: 'ERR_MEMMAP_CLOSED',
  access: 'read-write',
  cause: (mapping) => mapping.close(),
  shows: zeros,
  file: same,
};
const noSpace = {
  full: true,
  dies: 'SIGBUS',
  field: 'noSpace',
  code: 'ERR_MEMMAP_NO_SPACE',
  access: 'read-write',
  shows: zeros,
  file: same,
};

/**
 * `cause` brings it about; a view then shows what `shows` makes of the data, other processes see
 * what `file` makes of it, `field` of mapping.faults counts, and check() throws `code`. Without
 * the guard the signal `dies` ends the process. `full`: the file is a hole on a full file system.
 */
export const FAULTS = {
  'read past the end of a truncated file': { ...truncated, does: 'reads', access: 'read' },
  'read past the end of a truncated file, through an ArrayBuffer': {
    ...truncated, does: 'reads', access: 'copy-on-write', buffer: 'array',
  },
  'write past the end of a truncated file': { ...truncated, does: 'writes', access: 'read-write' },
  'write to a read-only mapping': { ...readOnly, does: 'writes', access: 'read', cause() {} },
  "write after protect('read')": {
    ...readOnly, does: 'writes', access: 'read-write', cause: (mapping) => mapping.protect('read'),
  },
  "read after protect('none')": { ...noAccess, does: 'reads' },
  "write after protect('none')": { ...noAccess, does: 'writes' },
  'read after close()': { ...closed, does: 'reads' },
  'write after close()': { ...closed, does: 'writes' },
  'read of a hole on a full tmpfs': { ...noSpace, does: 'reads', cause() {} },
  'write to a hole on a full tmpfs': { ...noSpace, does: 'writes', cause() {} },
};
