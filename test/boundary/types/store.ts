import { type CheckReport, type Compacted, Store, type StoreStats } from 'memmap/store';

const store = Store.open('users.db', { durability: 'put', timeout: 0 });
const value: Buffer | undefined = store.get('ada') ?? store.getView(Buffer.from('ada'));
const there: boolean = store.has('ada') && store.delete('ada');
const count: number = store.putMany(new Map([['ada', Buffer.alloc(1)]]));
const made: number = store.transaction(() => 1);
const later: Promise<void> = store.commitAsync();
const compacted: Promise<Compacted> = store.compact({ waste: 0, signal: AbortSignal.timeout(1), onProgress: ({ done, total }) => done / total });
const checked: Promise<CheckReport> = store.check();
const stats: StoreStats = store.stats();
for (const [key, bytes] of store) void [key.length, bytes.length, store.size];
void [value, there, count, made, later, compacted, checked, stats];

// @ts-expect-error: values are bytes
store.put('ada', 'Ada');
// @ts-expect-error: keys are strings or bytes
store.get(1);
// @ts-expect-error: only open() makes one
void new Store('users.db');
// @ts-expect-error: 'commit' or 'put'
Store.open('users.db', { durability: 'sync' });
// @ts-expect-error: it changes with put() and delete()
store.size = 1;
