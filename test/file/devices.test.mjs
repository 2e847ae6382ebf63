// Descriptors that are not regular files, and what a driver makes of a mapping: lib/file/map-file.ts,
// src-native/core/mapping/file.cc.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { mapFile } from 'memmap';
import { runC } from '../support/process/program.mjs';
import { skip } from '../support/hooks.mjs';
import { mapAt } from '../support/kernel/proc.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const FIXTURE = fileURLToPath(new URL('../fixtures/mem/device.mjs', import.meta.url));

/** Runs the fixture with a perf event as descriptor 3, or says why there is none. */
const PERF_EVENT = `
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  struct perf_event_attr event = {
    .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_DUMMY, .size = sizeof event, .exclude_kernel = 1,
  };
  int fd = syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
  if (fd < 0) return printf("cannot open a perf event: %s", strerror(errno)) < 0;
  dup2(fd, 3);
  const char* node = ${JSON.stringify(process.execPath)};
  execl(node, node, ${JSON.stringify(FIXTURE)}, NULL);
  return 1;
}
`;

describe('mapping what is not a regular file', () => {
  itExternal("maps /dev/zero as any file: 'read' is private", () => {
    const mapping = mapFile('/dev/zero', { length: 8192 });
    assert.equal(mapAt(mapping.address).permissions, 'r--p');
    assert.ok(mapping.bytes.every((byte) => byte === 0));
    mapping.close();
  });

  itExternal('shares what refuses to be mapped privately: a perf event', function () {
    const output = runC(PERF_EVENT).trim();
    if (output.startsWith('cannot')) skip(this, output);
    assert.equal(output, 'mapped');
  });
});
