// Channel.serve() and Channel.connect(): a pair of channels over a socket: lib/shm/channel/{duplex,server}.ts.
import assert from 'node:assert/strict';
import { existsSync, chmodSync, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { Channel, ChannelServer, DuplexChannel, PeerError } from 'memmap/shm';
import { beside } from '../../support/process/beside.mjs';
import { countDescriptors } from '../../support/descriptors.mjs';
import { skip } from '../../support/hooks.mjs';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { maps } from '../../support/kernel/proc.mjs';
import { runs } from '../../support/process/run.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

const DIED = { code: 'ERR_MEMMAP_PEER_DIED', name: 'PeerError' };
const CLOSED = { code: 'ERR_MEMMAP_CLOSED', name: 'StateError' };
const PEER_CLOSED = { code: 'ERR_MEMMAP_PEER_CLOSED', name: 'PeerError' };
const LONG = 200_000;

const echo = async (channel) => {
  for await (const message of channel) await channel.send(message);
};

describe('Channel.serve() and Channel.connect()', () => {
  afterEach(endKept);
  const file = temporaryFiles();
  let count = 0;
  const nextPath = () => file(`duplex-${(count += 1)}`);

  /** Both ends, in this process. */
  async function pair(options) {
    const path = nextPath();
    let told;
    const handed = new Promise((resolve) => (told = resolve));
    const server = keep(await Channel.serve(path, told, options));
    const client = keep(await Channel.connect(path));
    return { server, client, channel: keep(await handed), path };
  }

  describe('between two processes', () => {
    it('answers each message', async () => {
      const path = nextPath();
      const child = keep(beside('duplex-peer', ['serve', path], []));
      await child.says('serves');
      const channel = keep(await Channel.connect(path));
      for (let i = 0; i < 1000; i += 1) {
        await channel.send(Buffer.from(`message ${i}`));
        assert.equal(String(await channel.receive()), `message ${i}`);
      }
      await channel.end();
      assert.equal(await channel.receive(), undefined);
      await channel.gone;
    });

    it('a server that was killed leaves what it had sent, and is an error then', async () => {
      const path = nextPath();
      const child = keep(beside('duplex-peer', ['serve and stay', path, 10], []));
      await child.says('serves');
      const channel = keep(await Channel.connect(path));
      await child.says('sent');
      await child.kill();
      await channel.gone;
      assert.throws(() => channel.trySend(Buffer.from('x')), DIED);
      for (let i = 0; i < 10; i += 1) assert.equal(String(await channel.receive()), `message ${i}`);
      await assert.rejects(channel.receive(), DIED);
      await assert.rejects(channel.send(Buffer.from('x')), DIED);
      assert.throws(() => channel.consumer.receiveSync(), DIED);
    });

    it('a client that was killed is told of while the server waits for room, and for a message', async () => {
      const path = nextPath();
      const seen = [];
      let waits;
      const waiting = new Promise((resolve) => (waits = resolve));
      const server = keep(await Channel.serve(path, async (channel) => {
        for (let i = 0; i < 3; i += 1) seen.push(String(await channel.receive()));
        const filled = (async () => {
          for (;;) await channel.send(Buffer.alloc(LONG));
        })();
        waits();
        const results = await Promise.allSettled([filled, channel.receive(), channel.gone]);
        seen.push(results.map(({ status, reason }) => reason?.code ?? status));
      }));
      const child = keep(beside('duplex-peer', ['connect and stay', path, 3], []));
      await child.says('sent');
      await waiting;
      await child.kill();
      await until(() => seen.length === 4, 'the server has seen it');
      assert.deepEqual(seen, ['message 0', 'message 1', 'message 2', [DIED.code, DIED.code, 'fulfilled']]);
      await until(() => server.clients === 0, 'its channel is closed');
    });

    it('a path that a killed server has left is taken over', async () => {
      const path = nextPath();
      const child = keep(beside('duplex-peer', ['serve', path], []));
      await child.says('serves');
      await child.kill();
      assert.equal(lstatSync(path).isSocket(), true);
      await assert.rejects(Channel.connect(path), { code: 'ECONNREFUSED' });
      keep(await Channel.serve(path, echo));
      const channel = keep(await Channel.connect(path));
      await channel.send(Buffer.from('again'));
      assert.equal(String(await channel.receive()), 'again');
    });

    for (const [who, allow, expected] of [['allowed', () => true, 'question'], ['not allowed', undefined, 'ERR_MEMMAP_PEER_CLOSED']]) {
      it(`a client of another user that is ${who} gets ${expected}`, async function () {
        if (process.geteuid() !== 0) skip(this, 'needs root to have another user');
        const path = nextPath();
        chmodSync(dirname(path), 0o755);
        const server = keep(await Channel.serve(path, echo, { mode: 0o666, ...(allow && { allow }) }));
        const child = keep(beside('duplex-peer', ['connect as', path, 65534], []));
        await child.ended;
        assert.equal(child.output().trim(), expected, child.errors());
        assert.equal(server.refused, allow ? 0 : 1);
      });
    }
  });

  it('gives both ends all that a producer and a consumer can do', async () => {
    const { client, channel, server, path } = await pair({ capacity: 100_000 });
    assert.ok(server instanceof ChannelServer && client instanceof DuplexChannel && channel instanceof DuplexChannel);
    assert.deepEqual([server.path, server.closed, server.clients, server.refused], [path, false, 1, 0]);
    assert.equal(client.producer.limit, 2 ** 17 - 8);
    assert.deepEqual(client.peer, { pid: process.pid, uid: process.geteuid(), gid: process.getegid() });
    assert.deepEqual(channel.peer, client.peer);
    assert.equal(client.trySend(Buffer.from('there')), true);
    assert.equal(String(channel.tryReceive()), 'there');
    assert.equal(channel.tryReceive(), undefined);
    channel.producer.sendSync(Buffer.from('back'));
    assert.equal(client.consumer.drain((message) => assert.equal(String(message), 'back')), 1);
    await assert.rejects(client.receive({ timeout: 0 }), { code: 'ERR_MEMMAP_TIMEOUT' });
  });

  it('end() ends one direction, once what waits is sent, and the other goes on', async () => {
    const { client, channel } = await pair();
    const sends = Array.from({ length: 10 }, (_, i) => client.send(Buffer.alloc(LONG, i)));
    const ended = client.end();
    for (let i = 0; i < 10; i += 1) {
      const message = await channel.receive();
      assert.deepEqual([message.length, message[0]], [LONG, i]);
    }
    assert.equal(await channel.receive(), undefined);
    await Promise.all([...sends, ended]);
    await assert.rejects(client.send(Buffer.from('x')), CLOSED);
    await channel.send(Buffer.from('still'));
    assert.equal(String(await client.receive()), 'still');
    await channel.end();
    assert.equal(await client.receive(), undefined);
    assert.deepEqual([client.closed, channel.closed], [false, false]);
    await client.end();
  });

  it('close() ends both, and leaves what was sent', async () => {
    const { client, channel, server } = await pair();
    await channel.send(Buffer.from('last words'));
    const waits = assert.rejects(channel.receive(), CLOSED);
    channel.close();
    channel.close();
    await waits;
    await Promise.all([client.gone, channel.gone]);
    await assert.rejects(client.send(Buffer.from('x')), PEER_CLOSED);
    assert.equal(String(await client.receive()), 'last words');
    assert.equal(await client.receive(), undefined);
    assert.deepEqual([channel.closed, client.closed, server.clients], [true, false, 0]);
    await assert.rejects(channel.receive(), CLOSED);
  });

  it('is closed by `using` and `await using`', async () => {
    for (const symbol of [Symbol.dispose, Symbol.asyncDispose]) {
      const { client, server } = await pair();
      await client[symbol]();
      await server[symbol]();
      assert.deepEqual([client.closed, server.closed, existsSync(server.path)], [true, true, false]);
    }
  });

  it('an end is closed when both its directions are', async () => {
    const { client, channel } = await pair();
    client.readable.destroy();
    await client.end();
    assert.equal(client.closed, true);
    await channel.gone;
  });

  it('serves many at once', async () => {
    const path = nextPath();
    const server = keep(await Channel.serve(path, echo, { capacity: 1 }));
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const channel = await Channel.connect(path);
      await channel.send(Buffer.from(`${i}`));
      assert.equal(String(await channel.receive()), `${i}`);
      channel.close();
    }));
    await until(() => server.clients === 0, 'all channels are closed');
    assert.equal(server.refused, 0);
  });

  it('works in worker threads, which may end in the middle of it', async () => {
    const { stdout } = await runs('duplex-workers');
    assert.equal(stdout, '12 of 12 served, 4 died\n');
  });

  it('leaves nothing behind after many rounds', async function () {
    this.timeout(120_000);
    const path = nextPath();
    const round = async () => {
      const server = await Channel.serve(path, echo, { capacity: 1 });
      const channel = await Channel.connect(path);
      await channel.send(Buffer.from('x'));
      await channel.receive();
      channel.close();
      await until(() => server.clients === 0, 'the channel is closed');
      server.close();
    };
    const traces = () => [countDescriptors(), maps().filter(({ path: name }) => name.startsWith('/memfd:memmap ')).length];
    await round();
    const before = traces();
    // Without a collector's help.
    const ROUNDS = 200;
    for (let i = 0; i < ROUNDS; i += 1) await round();
    // What a round leaves would be there so many times; of other tests something may have gone meanwhile.
    const [descriptors, mappings] = traces().map((many, i) => many - before[i]);
    assert.ok(descriptors < ROUNDS / 10 && mappings < ROUNDS / 10, `${descriptors} more descriptors, ${mappings} more mappings`);
  });

  describe('the server', () => {
    it('close() accepts no more, and closes the channels of its clients', async () => {
      const { client, channel, server, path } = await pair();
      await channel.send(Buffer.from('last words'));
      server.close();
      server.close();
      assert.deepEqual([server.closed, channel.closed, server.clients, existsSync(path)], [true, true, 0, false]);
      assert.equal(String(await client.receive()), 'last words');
      assert.equal(await client.receive(), undefined);
      await assert.rejects(Channel.connect(path), { code: 'ENOENT' });
    });

    it('close() is no error for handlers that wait', async () => {
      const path = nextPath();
      const errors = [];
      const server = keep(await Channel.serve(path, echo, { onError: (error) => errors.push(error) }));
      const channel = keep(await Channel.connect(path));
      server.close();
      await channel.gone;
      assert.equal(await channel.receive(), undefined);
      assert.deepEqual(errors, []);
    });

    it('ends with its signal', async () => {
      const controller = new AbortController();
      const { server, client, path } = await pair({ signal: controller.signal });
      controller.abort();
      assert.deepEqual([server.closed, existsSync(path)], [true, false]);
      await client.gone;
      const reason = new Error('before');
      await assert.rejects(Channel.serve(path, echo, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      assert.equal(existsSync(path), false);
    });

    it('is one at a path', async () => {
      const { path } = await pair();
      await assert.rejects(Channel.serve(path, echo), { code: 'EADDRINUSE' });
    });

    it('may have an abstract name', async () => {
      const path = `\0memmap-duplex-${process.pid}`;
      keep(await Channel.serve(path, echo));
      const channel = keep(await Channel.connect(path));
      await channel.send(Buffer.from('abstract'));
      assert.equal(String(await channel.receive()), 'abstract');
    });

    it('closes a channel when the promise of its handler is settled, with all that was sent', async () => {
      const path = nextPath();
      keep(await Channel.serve(path, async (channel) => {
        for (let i = 0; i < 10; i += 1) void channel.send(Buffer.alloc(LONG, i));
      }));
      const channel = keep(await Channel.connect(path));
      let received = 0;
      for await (const message of channel) received += message.length;
      assert.equal(received, 10 * LONG);
      await channel.gone;
    });

    it('tells onError of what a handler throws, and closes the channel', async () => {
      for (const handler of [() => { throw new Error('boom'); }, async () => { throw new Error('boom'); }]) {
        const path = nextPath();
        const errors = [];
        keep(await Channel.serve(path, handler, { onError: (error, { pid }) => errors.push([error.message, pid]) }));
        const channel = keep(await Channel.connect(path));
        await channel.gone;
        assert.equal(await channel.receive(), undefined);
        assert.deepEqual(errors, [['boom', process.pid]]);
      }
    });

    it('without onError what a handler throws is an uncaught exception, but for errors of peers', async () => {
      const { stdout } = await runs('throwing-channels');
      assert.equal(stdout, 'uncaught: sync\nuncaught: async\nserved\n');
    });

    it('hangs up on who comes when there are enough', async () => {
      const errors = [];
      const { server, client, path } = await pair({ limit: 1, onError: (error) => errors.push(error) });
      await assert.rejects(Channel.connect(path), (error) => error instanceof PeerError && error.code === PEER_CLOSED.code);
      assert.deepEqual([server.clients, server.refused, errors[0].code], [1, 1, 'ERR_MEMMAP_PEER_REFUSED']);
      client.close();
      keep(server).close();
    });
  });
});
