// Histories of a store that lost power, again and again; and what must be left of it.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { Store } from './unbundled.mjs';
import { PowerLoss } from './power-loss.mjs';
import { seeded } from '../random.mjs';
import { contentsOf, difference, operation, perform, same, through } from './store-ops.mjs';

/**
 * What was done to a store while its file was watched. `models[i]` is what it had after step i;
 * `events` tell from which time on at least, or at most, which of them can be left.
 */
class History {
  /** @param models those that can be there in the beginning: the last one is */
  constructor(watched, models) {
    this.watched = watched;
    this.models = [...models];
    this.begins = watched.time;
    this.events = [{ time: 0, least: 0, most: models.length - 1 }];
  }

  note(change) {
    this.watched.look();
    this.events.push({ ...this.events.at(-1), ...change, time: this.watched.time });
  }

  /** The models that may be left at a time. */
  at(time) {
    const { least, most } = this.events.findLast((event) => event.time <= time);
    return { models: this.models.slice(least, most + 1), least, most };
  }
}

/** Opens the file, and does operations `from` to `to` on it, each followed by its number. */
async function live(path, { seed, from, count, models, options, lies }) {
  const watched = new PowerLoss(path, { lies });
  const history = new History(watched, models);
  const next = seeded(seed);
  let store;
  try {
    store = Store.open(path, options);
    // What open() has shown stays.
    const found = contentsOf(store);
    const index = history.models.findIndex((model) => same(model, found));
    assert.notEqual(index, -1, `open(): ${difference(found, history.models.at(-1))}`);
    history.models.length = index + 1;
    history.note({ least: index, most: index });
    for (let number = from; number < from + count; number++) {
      if (next(30) === 0) {
        store.close();
        history.note({ least: history.models.length - 1 });
        store = Store.open(path, options);
      }
      await step(store, history, operation(seed, number, { keys: 24, heavy: true }), options);
    }
    if (next(2) === 0) store.close();
    else history.note({});
    return history;
  } finally {
    if (store?.closed === false) store.close();
    watched.close();
  }
}

async function step(store, history, act, options) {
  const all = through(history.models.at(-1), act.steps).slice(1);
  const before = history.models.length - 1;
  history.models.push(...all);
  history.note({ most: history.models.length - 1 });
  await perform(store, act);
  const commits = act.kind === 'commit' || act.kind === 'commitAsync' || (options?.durability === 'put' && act.kind !== 'throws');
  history.note(commits ? { least: act.steps.length === 0 ? before : history.models.length - 1 } : {});
}

/** Opens what a crash has left, and tells which of the models it is. */
async function recovered(path, { models, least, most }, options) {
  const store = Store.open(path, options);
  try {
    const found = contentsOf(store);
    const index = models.findLastIndex((model) => same(model, found));
    assert.notEqual(index, -1, `${found.size} pairs are none of the models ${least} to ${most}; of the last: ${difference(found, models.at(-1))}`);
    assert.equal(store.size, found.size);
    const { damage, pairs } = await store.check();
    assert.deepEqual(damage, []);
    assert.equal(pairs, found.size);
    return index;
  } finally {
    store.close();
  }
}

async function usable(path, model, options) {
  const value = Buffer.from('afterwards');
  let store = Store.open(path, options);
  try {
    store.put('new', value);
    await store.compact({ waste: 0 });
    store.put('newer', value);
    store.close();
    store = Store.open(path, options);
    const expected = new Map(model).set('new', value).set('newer', value);
    const found = contentsOf(store);
    assert.ok(same(found, expected), `after recovery: ${difference(found, expected)}`);
    assert.deepEqual((await store.check()).damage, []);
  } finally {
    store.close();
  }
}

/**
 * Crashes stores `states` times, in histories of `length` operations; some crash again while they
 * recover, and in the life after. Throws at the first that is not what it must be.
 *
 * @param folder path of a folder for files
 * @returns how many states, crashes of a second generation among them
 */
export async function crashes(folder, { seed, states, length = 100, lies, perHistory = 50 }) {
  const next = seeded(seed);
  let done = 0;
  let second = 0;
  for (let number = 0; done < states; number++) {
    const options = next(4) === 0 ? { durability: 'put' } : {};
    const path = `${folder}/history-${seed}-${number}`;
    const own = next(2 ** 31);
    let history = await live(path, { seed: own, from: 0, count: 1 + next(length), models: [new Map()], options, lies });
    for (let generation = 1; generation <= 4 && done < states; generation++) {
      let image;
      let left;
      for (let i = 0; i < perHistory / 4; i++) {
        const time = history.begins + next(history.watched.time - history.begins + 1);
        image = history.watched.crash(time, next);
        left = history.at(time);
        const where = `seed ${seed}, history ${number}, generation ${generation}, time ${time} of ${history.watched.time}`;
        await tried(`${path}-crash`, image, left, options, where);
        done += 1;
        if (generation > 1) second += 1;
      }
      // The last one lives on, and crashes again: while it recovers, too.
      const again = `${path}-${generation}`;
      writeFileSync(again, image);
      const count = next(3) === 0 ? 0 : next(length / 2);
      history = await live(again, { seed: own, from: 1000 * generation, count, models: left.models, options, lies });
      rmSync(again);
    }
    rmSync(path);
  }
  return { states: done, second };
}

async function tried(path, image, left, options, where) {
  writeFileSync(path, image);
  try {
    const index = await recovered(path, left, options);
    await usable(path, left.models[index], options);
  } catch (error) {
    error.message = `${where}: ${error.message}`;
    throw error;
  } finally {
    rmSync(path);
  }
}
