// listen() and connect(): the socket's path, and who the peer is: lib/shm/socket/{listener,unix-address}.ts.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { PeerError, connect, listen, receiveFds, sendFds } from 'memmap/shm';
import { closedAfterEach, countDescriptors } from '../../support/descriptors.mjs';
import { skip } from '../../support/hooks.mjs';
import { python } from '../../support/process/program.mjs';
import { runs } from '../../support/process/run.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

const nobody = () => assert.fail('nobody should connect');

describe('listen() and connect()', () => {
  const keep = closedAfterEach();
  const file = temporaryFiles();
  let count = 0;
  const nextPath = () => file(`socket-${(count += 1)}`);
  const CONNECT = 's = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\nprint(s.recv(10))';

  describe('the path', () => {
    it('is a socket for our user only, and goes with close()', () => {
      const path = nextPath();
      const before = countDescriptors();
      const server = listen(path, nobody);
      const { mode } = lstatSync(path);
      assert.equal(mode & 0o777, 0o600);
      assert.equal(lstatSync(path).isSocket(), true);
      assert.deepEqual([server.path, server.closed, server.refused], [path, false, 0]);
      server.close();
      server.close();
      assert.deepEqual([server.closed, existsSync(path)], [true, false]);
      assert.equal(countDescriptors(), before);
      assert.deepEqual(readdirSync(dirname(path)).filter((name) => name.startsWith('.')), []);
    });

    it('has the mode it is given', () => {
      const path = nextPath();
      keep(listen(path, nobody, { mode: 0o666 }));
      assert.equal(lstatSync(path).mode & 0o777, 0o666);
    });

    it('is EADDRINUSE while somebody listens there, or if it is not a socket', () => {
      const path = nextPath();
      keep(listen(path, (connection) => connection.close()));
      const before = countDescriptors();
      assert.throws(() => listen(path, nobody), { code: 'EADDRINUSE', syscall: 'bind', path, name: 'SystemError' });
      const plain = file('plain', 'not a socket');
      assert.throws(() => listen(plain, nobody), { code: 'EADDRINUSE' });
      assert.equal(readFileSync(plain, 'utf8'), 'not a socket');
      assert.equal(countDescriptors(), before);
      assert.deepEqual(readdirSync(dirname(path)).filter((name) => name.startsWith('.')), []);
    });

    it('is taken over from a process that was killed', async () => {
      const path = nextPath();
      const program = `
        import { listen } from 'memmap/shm';
        listen('${path}', () => {});
        process.kill(process.pid, 'SIGKILL');`;
      const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
      assert.equal(signal, 'SIGKILL');
      assert.equal(lstatSync(path).isSocket(), true);
      await assert.rejects(connect(path), { code: 'ECONNREFUSED', syscall: 'connect', path });
      const accepted = new Promise((resolve) => keep(listen(path, resolve)));
      keep(await connect(path));
      keep(await accepted);
    });

    it('is taken over by one of many that try at once', async () => {
      const path = nextPath();
      await python('s = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])', [path]).ended;
      const program = `
        import { listen } from 'memmap/shm';
        try {
          listen('${path}', () => {});
          console.log('listens');
        } catch (error) {
          console.log(error.code);
        }`;
      const children = Array.from({ length: 6 }, () =>
        spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] }));
      const ends = children.map((child) => once(child, 'close'));
      const outputs = await Promise.all(children.map((child) =>
        new Promise((resolve) => child.stdout.once('data', (text) => resolve(text.toString().trim())))));
      for (const child of children) child.kill();
      await Promise.all(ends);
      assert.deepEqual(outputs.toSorted(), [...Array(5).fill('EADDRINUSE'), 'listens']);
    });

    it('is left alone by close() if it is somebody else\'s by then', () => {
      const path = nextPath();
      const server = listen(path, nobody);
      rmSync(path);
      writeFileSync(path, 'another');
      server.close();
      assert.equal(readFileSync(path, 'utf8'), 'another');
    });

    it('may be an abstract name, which no file stands for', async () => {
      const path = `\0memmap-test-${process.pid}`;
      const accepted = new Promise((resolve) => keep(listen(path, resolve)));
      const client = keep(await connect(path));
      await sendFds(client, [], 'abstract');
      assert.equal((await receiveFds(keep(await accepted))).payload.toString(), 'abstract');
      assert.throws(() => listen(path, nobody), { code: 'EADDRINUSE' });
    });

    it('must be one that fits, and be there', async () => {
      for (const path of ['', 'a\0b', '\0a\0b']) {
        assert.throws(() => listen(path, nobody), { code: 'ERR_INVALID_ARG_VALUE' });
        await assert.rejects(connect(path), { code: 'ERR_INVALID_ARG_VALUE' });
      }
      assert.throws(() => listen(`/tmp/${'x'.repeat(103)}`, nobody), { code: 'ERR_OUT_OF_RANGE' });
      const before = countDescriptors();
      await assert.rejects(connect(nextPath()), { code: 'ENOENT', syscall: 'connect' });
      assert.throws(() => listen('/nowhere/socket', nobody), { code: 'ENOENT', syscall: 'bind', path: '/nowhere/socket' });
      assert.equal(countDescriptors(), before);
    });
  });

  describe('the peer', () => {
    it('is known on both sides, by process, user and group', async () => {
      const path = nextPath();
      const accepted = new Promise((resolve) => keep(listen(path, (one) => resolve(keep(one)))));
      const peer = python(CONNECT, [path]);
      const connection = await accepted;
      assert.deepEqual(connection.peer, { pid: peer.child.pid, uid: process.geteuid(), gid: process.getegid() });
      const client = keep(await connect(path));
      assert.deepEqual(client.peer, { pid: process.pid, uid: process.geteuid(), gid: process.getegid() });
      connection.close();
      await peer.ended;
    });

    it('of another user is hung up on, and counted', async function () {
      if (process.geteuid() !== 0) skip(this, 'needs root to have another user');
      const path = nextPath();
      chmodSync(dirname(path), 0o755);
      const server = keep(listen(path, nobody, { mode: 0o666 }));
      const before = countDescriptors();
      const { code, stdout, stderr } = await python(`os.setgid(65534); os.setuid(65534)\n${CONNECT}`, [path]).ended;
      assert.deepEqual([code, stdout], [0, "b''\n"], stderr);
      assert.equal(server.refused, 1);
      await until(() => countDescriptors() <= before, 'its descriptors are gone');
    });

    it('of another user does not get as far, unless the mode says so', async function () {
      if (process.geteuid() !== 0) skip(this, 'needs root to have another user');
      const path = nextPath();
      chmodSync(dirname(path), 0o755);
      keep(listen(path, nobody));
      const { stderr } = await python(`os.setuid(65534)\n${CONNECT}`, [path]).ended;
      assert.match(stderr, /PermissionError/);
    });

    it('of another user is talked to where allow() says so', async function () {
      if (process.geteuid() !== 0) skip(this, 'needs root to have another user');
      const path = nextPath();
      chmodSync(dirname(path), 0o755);
      const seen = [];
      const allow = (peer) => seen.push(peer) > 0 && peer.uid === 65534;
      const accepted = new Promise((resolve) => keep(listen(path, resolve, { mode: 0o666, allow })));
      const peer = python(`os.setgid(65534); os.setuid(65534)\n${CONNECT}`, [path]);
      const connection = keep(await accepted);
      await sendFds(connection, [0], 'welcome');
      assert.equal((await peer.ended).stdout, "b'welcome'\n");
      assert.deepEqual(seen, [{ pid: peer.child.pid, uid: 65534, gid: 65534 }]);
    });

    it('is refused by anything but true, a promise included', async () => {
      for (const answer of [false, undefined, 1, 'true', Promise.resolve(true)]) {
        const path = nextPath();
        const server = keep(listen(path, nobody, { allow: () => answer }));
        const client = keep(await connect(path));
        assert.equal(await receiveFds(client).catch(({ code }) => code === 'ECONNRESET' ? undefined : code), undefined);
        assert.equal(server.refused, 1);
        server.close();
      }
    });

    it('that listens is refused by connect() in the same way', async () => {
      const path = nextPath();
      keep(listen(path, (connection) => connection.close()));
      await until(async () => (keep(await connect(path)), true), 'somebody listens');
      const before = countDescriptors();
      await assert.rejects(connect(path, { allow: ({ uid }) => uid !== process.geteuid() }), (error) => {
        assert.equal(error.code, 'ERR_MEMMAP_PEER_REFUSED');
        return error instanceof PeerError;
      });
      const boom = new Error('boom');
      await assert.rejects(connect(path, { allow: () => { throw boom; } }), (error) => error === boom);
      await until(() => countDescriptors() <= before, 'its descriptors are gone');
    });
  });

  it('accepts many connections, one after the other and at once', async () => {
    const path = nextPath();
    const server = keep(listen(path, async (connection) => {
      for await (const { payload } of connection) await sendFds(connection, [], payload);
      connection.close();
    }));
    const before = countDescriptors();
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const client = await connect(path);
      await sendFds(client, [], `${i}`);
      assert.equal((await receiveFds(client)).payload.toString(), `${i}`);
      client.close();
    }));
    await until(() => countDescriptors() <= before, 'all connections are closed');
    assert.equal(server.closed, false);
  });

  it('connect() waits for a listener that is too busy, and ends with the signal', async () => {
    const path = nextPath();
    const peer = python(`
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(0)
print('listening', flush=True)
sys.stdin.readline()
while True:
    s, _ = server.accept()
    s.send(b'hello')`, [path]);
    try {
      await until(() => peer.output() !== '', 'Python listens');
      const first = keep(await connect(path));
      const controller = new AbortController();
      const before = countDescriptors();
      const never = assert.rejects(connect(path, { signal: controller.signal }), { name: 'AbortError' });
      const later = connect(path);
      for (let i = 0; i < 10; i += 1) await turn();
      controller.abort();
      await never;
      peer.child.stdin.write('go on\n');
      assert.equal((await receiveFds(keep(await later))).payload.toString(), 'hello');
      assert.equal((await receiveFds(first)).payload.toString(), 'hello');
      assert.equal(countDescriptors(), before + 1);
    } finally {
      peer.child.kill();
      await peer.ended;
    }
  });

  it('ends with its signal', () => {
    const path = nextPath();
    const controller = new AbortController();
    const server = listen(path, nobody, { signal: controller.signal });
    controller.abort();
    assert.deepEqual([server.closed, existsSync(path)], [true, false]);
    const reason = new Error('before');
    assert.throws(() => listen(path, nobody, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
    assert.equal(existsSync(path), false);
  });

  it('what the handler throws is an uncaught exception, and the listener goes on', async () => {
    const { stdout } = await runs('throwing-handler');
    assert.equal(stdout, 'uncaught: first\nuncaught: allow\nserved\n');
  });

  it('works in worker threads, each for itself', async () => {
    const { stdout } = await runs('socket-workers');
    assert.equal(stdout, '12 of 12\n');
  });
});
