// Block devices are mapped to their end and shown by `memmap presence`: lib/file/{block-device,open-file}.ts,
// lib/file/{file-identity,file-backing,reservation}.ts, lib/cli/common/targets.ts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { dump, mapFile, reserve, residencyOf, touch } from 'memmap';
import { memmap } from '../support/cli/cli.mjs';
import { skip } from '../support/hooks.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { needsTools } from '../support/process/tools.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const MIB = 2 ** 20;
const SIZE = 3 * MIB + 512;

describe('block devices', () => {
  const file = temporaryFiles();
  let device;
  let image;

  before(function () {
    if (process.getuid() !== 0) skip(this, 'only root can set up a loop device');
    const losetup = needsTools(this, 'losetup');
    image = file('disk', Buffer.alloc(SIZE, 'disk'));
    const { status, stdout, stderr } = spawnSync(losetup, ['-f', '--show', image], { encoding: 'utf8' });
    if (status !== 0) skip(this, `no loop device: ${stderr.trim()}`);
    device = stdout.trim();
  });
  after(() => {
    if (device !== undefined) execFileSync('losetup', ['-d', device]);
  });

  it('maps one to its end', () => {
    const mapping = mapFile(device);
    assert.equal(mapping.length, SIZE);
    assert.equal(mapping.size(), SIZE);
    assert.equal(mapping.refresh(), false);
    assert.ok(mapping.bytes.equals(readFileSync(image)));
    assert.equal(mapping.path, device);
    mapping.check();
    mapping.close();
    const fd = openSync(device, 'r');
    try {
      const other = mapFile(fd, { offset: MIB + 5 });
      assert.equal(other.length, SIZE - MIB - 5);
      assert.equal(other.bytes.toString('latin1', 0, 4), 'iskd');
      other.close();
    } finally {
      closeSync(fd);
    }
    const end = mapFile(device, { offset: SIZE });
    assert.equal(end.length, 0);
    end.close();
  });

  it('a reservation places one to its end', function () {
    if (!hasExternalBuffers) skip(this, 'this runtime has no buffer over addresses of a reservation');
    const space = reserve(4 * MIB);
    assert.equal(space.place(0, { file: device }).length, SIZE);
    space.close();
  });

  it('refuses what lies past its end, where an access would fault', () => {
    for (const options of [{ length: SIZE + 1 }, { offset: SIZE, length: 1 }, { offset: SIZE + 1 }, { offset: MIB, length: SIZE }, { offset: Number.MAX_SAFE_INTEGER }]) {
      assert.throws(() => mapFile(device, options), { code: 'ERR_OUT_OF_RANGE' }, JSON.stringify(options));
    }
  });

  it('writes reach it, and it cannot grow', () => {
    const mapping = mapFile(device, { access: 'read-write' });
    mapping.bytes.write('new', MIB);
    mapping.flush();
    assert.equal(readFileSync(device).toString('latin1', MIB, MIB + 3), 'new');
    assert.throws(() => mapping.resize(SIZE + 4096), { code: 'ERR_OUT_OF_RANGE' });
    assert.equal(mapping.size(), SIZE);
    mapping.resize(MIB);
    mapping.resize(SIZE);
    mapping.close();
    for (const length of [undefined, 4096, SIZE]) {
      for (const size of [SIZE + 1, 2 * SIZE]) {
        assert.throws(() => mapFile(device, { access: 'read-write', size, length }), { code: 'ERR_OUT_OF_RANGE', message: /cannot grow/ });
      }
      const same = mapFile(device, { access: 'read-write', size: SIZE, length });
      assert.equal(same.length, length ?? SIZE);
      same.close();
    }
    const bytes = readFileSync(device);
    assert.equal(bytes.toString('latin1', MIB, MIB + 3), 'new');
    bytes.write('dis', MIB, 'latin1');
    assert.ok(bytes.equals(Buffer.alloc(SIZE, 'disk')), 'the other bytes are as they were');
  });

  it('reports which of its pages are in memory', () => {
    const mapping = mapFile(device);
    mapping.evict();
    assert.equal(residencyOf(device).resident, 0);
    mapping.bytes[2 * MIB];
    const { resident, pages, trust } = residencyOf(device);
    assert.ok(resident >= 1 && resident < pages, `${resident} of ${pages}`);
    assert.deepEqual([pages, trust], [Math.ceil(SIZE / 4096), 'exact']);
    assert.equal(residencyOf(device, { offset: 2 * MIB, length: 1 }).resident, 1);
    mapping.close();
    assert.equal(dump(device).size, SIZE);
  });

  it('memmap presence shows it; other commands leave it alone', async () => {
    const { files, failures } = JSON.parse(memmap(['presence', '--json', device]).stdout);
    assert.deepEqual(failures, []);
    assert.deepEqual(files.map(({ path, size, pages }) => [path, size, pages]), [[device, SIZE, Math.ceil(SIZE / 4096)]]);
    assert.match(memmap(['presence', device]).stdout, new RegExp(`^${device}\n`));
    assert.deepEqual(JSON.parse(memmap(['presence', '--json', '-m', '1M', device]).stdout).files, []);
    assert.match(memmap(['touch', device]).stderr, /neither a file nor a directory/);
    assert.equal((await touch([device])).failed, 1);
  });
});
