// How the errors of docs/errors.md come about that NUMA has: `code, call`, or why they do not here.
import { mapAnonymous, setMemoryPolicy } from 'memmap';

/** A node that no machine has. */
export const ABSENT_NODE = 1023;

/** What `act` does with memory, its first page present; closed afterwards. */
export function withMemory(act) {
  const memory = mapAnonymous({ length: 1 });
  try {
    memory.bytes[0] = 1;
    return act(memory);
  } finally {
    memory.close();
  }
}

/** As a user without capabilities, if this one has some. */
export function withoutCapabilities(act) {
  if (process.geteuid() !== 0) return act();
  process.seteuid(65534);
  try {
    return act();
  } finally {
    process.seteuid(0);
  }
}

const absent = { mode: 'bind', nodes: [ABSENT_NODE] };

export const NUMA_ERRORS = {
  'EINVAL mbind': () => withMemory((memory) => memory.bind(absent)),
  'EINVAL set_mempolicy': () => setMemoryPolicy(absent),
  'EIO mbind': 'it takes a second node: see test/vm/numa.vm.mjs',
  'EPERM mbind': () => withMemory((memory) => withoutCapabilities(() => memory.bind({ mode: 'bind', nodes: [0], move: 'all' }))),
  'ENODEV move_pages': () => withMemory((memory) => memory.migrate(ABSENT_NODE)),
  'EACCES move_pages': 'it takes a cpuset: see test/vm/numa.vm.mjs',
  'ENOENT set_mempolicy_home_node': () => withMemory((memory) => memory.homeNode(0)),
  'ENOTSUP set_mempolicy_home_node': () => withMemory((memory) => {
    memory.bind({ mode: 'interleave', nodes: [0] });
    memory.homeNode(0);
  }),
};
