// What the runtime under test can do.

const [major, minor] = process.versions.node.split('.').map(Number);

/** Since which release of each line Node-API can put a SharedArrayBuffer over any address. */
const EXTERNAL_SHARED = { 22: 23, 24: 16, 26: 1 };

/** Whether buffers need no pages of the engine's own, onto which the mapping is moved. */
export const hasExternalShared = major > 26 || minor >= (EXTERNAL_SHARED[major] ?? Infinity);
