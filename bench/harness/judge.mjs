// From rounds to ratios, and from ratios to verdicts.

/** The value below which the given part of the numbers lies. */
export function quantile(numbers, part) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

const median = (numbers) => quantile(numbers, 0.5);

/**
 * A row per comparison of the question; ratios are of results of the same round. `plusMs` is
 * granted to us: the ratio is to the other's round and that much more.
 */
export function judge(question, { title, comparisons }, { results, missing }, { version, clock, enforce }) {
  return comparisons.map(({ of, against, atMost, atLeast, plusMs = 0, ...rest }) => {
    const row = { question, title, of, against };
    for (const name of [of, against]) if (missing.has(name)) return { ...row, missing: missing.get(name) };
    const measured = [results.get(of), results.get(against)];
    // A command reports no processor time: both then go by the wall clock.
    const field = clock === 'cpu' && measured.flat().every(({ cpuNs }) => cpuNs > 0) ? 'cpuNs' : 'ns';
    const [ours, alone] = measured.map((rounds) => rounds.map((round) => round[field]));
    const theirs = alone.map((ns) => ns + plusMs * 1e6);
    // How much time it takes, or how fast it is, in that of the other.
    const kind = atMost === undefined ? 'speed' : 'time';
    const ratios = ours.map((ns, i) => (kind === 'time' ? ns / theirs[i] : theirs[i] / ns));
    const ratio = median(ratios);
    const bar = value(atMost ?? atLeast, version);
    const met = bar === undefined ? undefined : kind === 'time' ? ratio <= bar : ratio >= bar;
    return {
      ...row,
      ...rest,
      ...(plusMs > 0 && { against: `${against} + ${plusMs} ms` }),
      kind,
      ratio,
      spread: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
      clock: field === 'cpuNs' ? 'cpu' : 'wall',
      ns: median(ours),
      againstNs: median(theirs),
      collections: measured[0].reduce((sum, { collections = 0 }) => sum + collections, 0),
      ...(bar !== undefined && { bar, ...(enforce && { met }) }),
    };
  });
}

/** A bar is a number, or differs between versions of Node; undefined: there is none. */
function value(bar, version) {
  if (typeof bar !== 'function') return bar;
  const [major, minor] = version.split('.').map(Number);
  return bar({ major, minor });
}
