// The process of one case: prepares it, then runs a round for each line on stdin.
import { PerformanceObserver, constants } from 'node:perf_hooks';
import { createInterface } from 'node:readline';

const [, , question, name, settings] = process.argv;
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

let collections = 0;
const observer = new PerformanceObserver((list) => count(list.getEntries()));
const count = (entries) => {
  for (const { detail } of entries) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections += 1;
};

const { default: definition } = await import(question);
const entry = definition.cases.find((candidate) => candidate.name === name);
const prepared = await entry.prepare(JSON.parse(settings));
observer.observe({ entryTypes: ['gc'] });
say({});

for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'round') continue;
  await prepared.arrange?.();
  count(observer.takeRecords());
  collections = 0;
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  const value = await prepared.round();
  const ns = Number(process.hrtime.bigint() - start) / prepared.operations;
  const { user, system } = process.cpuUsage(cpu);
  const cpuNs = ((user + system) * 1e3) / prepared.operations;
  // Entries of collections arrive a turn of the event loop later.
  await new Promise((resolve) => setImmediate(resolve));
  count(observer.takeRecords());
  say({ ns, cpuNs, value: String(value), collections });
}
process.exit(0);
