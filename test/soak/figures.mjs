// What the soak has done, counted by all its threads, those that were terminated, too.
export const FIGURES = [
  'fresh', 'placements', 'strays', 'protections', 'parts', 'resizes', 'remaps', 'posts', 'queued', 'clones', 'background', 'questions',
  'terminations', 'kept', 'refused', 'foreign', 'descriptorPeriods', 'mappingPeriods',
];

export const figuresMemory = () => new SharedArrayBuffer(4 * FIGURES.length);

/** count(name, times = 1) in memory that all threads share. */
export function counter(memory) {
  const counts = new Int32Array(memory);
  return (name, times = 1) => {
    const at = FIGURES.indexOf(name);
    if (at === -1) throw new Error(`no figure is called ${name}`);
    Atomics.add(counts, at, times);
  };
}

export function figuresOf(memory) {
  const counts = new Int32Array(memory);
  return Object.fromEntries(FIGURES.map((name, at) => [name, counts[at]]));
}
