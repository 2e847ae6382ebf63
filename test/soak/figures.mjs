// What the soak has done, counted by all its threads, those that were terminated, too.
const NAMES = [
  'fresh', 'placements', 'strays', 'protections', 'parts', 'resizes', 'remaps', 'posts', 'queued', 'clones', 'background', 'questions',
  'terminations', 'kept', 'refused', 'foreign', 'descriptorPeriods', 'mappingPeriods',
];

export const figuresMemory = () => new SharedArrayBuffer(4 * NAMES.length);

/** count(name, times = 1) in memory that all threads share. */
export function counter(memory) {
  const counts = new Int32Array(memory);
  return (name, times = 1) => {
    const at = NAMES.indexOf(name);
    if (at === -1) throw new Error(`no figure is called ${name}`);
    Atomics.add(counts, at, times);
  };
}

export function figuresOf(memory) {
  const counts = new Int32Array(memory);
  return Object.fromEntries(NAMES.map((name, at) => [name, counts[at]]));
}
