// The constants of memmap/sys are those of the system's headers: lib/sys/constants.ts,
// src-native/napi/constants.cc.
import assert from 'node:assert/strict';
import * as sys from 'memmap/sys';
import { runC } from '../support/process/program.mjs';
import { skip } from '../support/hooks.mjs';

const PREFIX = {
  PROT: 'PROT_', MAP: 'MAP_', MS: 'MS_', MADV: 'MADV_', MREMAP: 'MREMAP_', MLOCK: 'MLOCK_', MCL: 'MCL_',
  MFD: 'MFD_', MPOL: 'MPOL_', FALLOC: 'FALLOC_FL_', FADV: 'POSIX_FADV_', F_SEAL: 'F_SEAL_',
};
const names = Object.entries(PREFIX).flatMap(([table, prefix]) =>
  Object.keys(sys[table]).map((name) => ({ table, name, inC: `${prefix}${name}` })),
);

const HEADERS = ['stdio.h', 'unistd.h', 'fcntl.h', 'sys/mman.h', 'linux/mman.h', 'linux/memfd.h', 'linux/falloc.h', 'linux/mempolicy.h', 'linux/version.h'];

/** Enumerators, not macros: the kernel that brought them. */
const ENUMERATORS = {
  MPOL_DEFAULT: '3,8,0', MPOL_PREFERRED: '3,8,0', MPOL_BIND: '3,8,0', MPOL_INTERLEAVE: '3,8,0', MPOL_LOCAL: '3,8,0',
  MPOL_PREFERRED_MANY: '5,15,0', MPOL_WEIGHTED_INTERLEAVE: '6,9,0',
};

function isThere(inC) {
  return inC in ENUMERATORS ? `#if LINUX_VERSION_CODE >= KERNEL_VERSION(${ENUMERATORS[inC]})` : `#ifdef ${inC}`;
}

function program() {
  const lines = names.map(({ inC }) => `${isThere(inC)}\n  printf("${inC} %llu\\n", (unsigned long long)(unsigned)(${inC}));\n#endif`);
  const includes = HEADERS.map((header) => `#include <${header}>`).join('\n');
  return `#define _GNU_SOURCE\n${includes}
int main(void) {
${lines.join('\n')}
  printf("PAGE_SIZE %ld\\n", sysconf(_SC_PAGESIZE));
}`;
}

describe('constants', () => {
  let inHeaders;
  before(() => {
    inHeaders = new Map(runC(program()).trimEnd().split('\n').map((line) => line.split(' ')));
  });

  for (const { table, name, inC } of names) {
    it(`${table}.${name} is ${inC} of the system's headers`, function () {
      if (!inHeaders.has(inC)) skip(this, `the headers of this system are older than ${inC}`);
      assert.equal(sys[table][name], Number(inHeaders.get(inC)));
    });
  }

  it('PAGE_SIZE is what sysconf says', () => {
    assert.equal(sys.PAGE_SIZE, Number(inHeaders.get('PAGE_SIZE')));
  });

  it('the tables cannot be changed', () => {
    for (const table of Object.keys(PREFIX)) assert.ok(Object.isFrozen(sys[table]), table);
  });

  it('no two names of an advice have the same number', () => {
    for (const table of [sys.MADV, sys.FADV]) assert.equal(new Set(Object.values(table)).size, Object.keys(table).length);
  });
});
