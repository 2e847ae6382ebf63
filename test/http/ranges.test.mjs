// The parts of a file that a request asks for: lib/http/{ranges,answer,pieces,copies}.ts.
import assert from 'node:assert/strict';
import { serve } from 'memmap/http';
import { serversOfTest } from '../support/http/servers.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const SIZE = 100;
const CONTENT = Buffer.from(Uint8Array.from({ length: SIZE }, (_, i) => i));

/** The parts of a multipart body: what a client reads, by RFC 9110, section 14.6. */
function partsOf({ headers, body }) {
  const [, boundary] = /^multipart\/byteranges; boundary=(\S+)$/.exec(headers['content-type']);
  const pieces = body.toString('latin1').split(`--${boundary}`);
  assert.equal(pieces.at(-1), '--\r\n');
  return pieces.slice(1, -1).map((piece) => {
    const [, type, first, last, size, content] = /^\r\nContent-Type: (.*)\r\nContent-Range: bytes (\d+)-(\d+)\/(\d+)\r\n\r\n([\s\S]*)\r\n$/.exec(piece);
    assert.deepEqual([type, Number(size)], ['text/plain; charset=utf-8', SIZE]);
    assert.deepEqual(Buffer.from(content, 'latin1'), CONTENT.subarray(Number(first), Number(last) + 1));
    return [Number(first), Number(last)];
  });
}

describe('ranges of a file', () => {
  const file = temporaryFiles();
  const start = serversOfTest();
  const ask = async (range, options = {}, content = CONTENT) => {
    const path = file('ranges.txt', content);
    const get = await start((request, response) => void serve(request, response, path));
    return get({ headers: { range }, ...options });
  };

  for (const [range, first, last] of [
    ['bytes=0-0', 0, 0],
    ['bytes=0-99', 0, 99],
    ['bytes=10-', 10, 99],
    ['bytes=99-', 99, 99],
    ['bytes=50-1000', 50, 99],
    ['bytes=5-99999999999999999999999', 5, 99],
    ['bytes=-1', 99, 99],
    ['bytes=-100', 0, 99],
    ['bytes=-1000', 0, 99],
    ['BYTES=7-8', 7, 8],
    ['bytes= 7-8 ,', 7, 8],
    ['bytes=,,7-8', 7, 8],
    ['bytes=7-8,200-300', 7, 8],
    ['bytes=200-300,-1', 99, 99],
    ['bytes=0-49,40-60', 0, 60],
    ['bytes=40-60,0-49,50-55', 0, 60],
    ['bytes=0-99,0-99,0-99', 0, 99],
  ]) {
    it(`'${range}' is one part, ${first} to ${last}`, async () => {
      const { status, headers, body, complete } = await ask(range);
      assert.deepEqual([status, headers['content-range'], complete], [206, `bytes ${first}-${last}/${SIZE}`, true]);
      assert.deepEqual([headers['content-type'], headers['content-length']], ['text/plain; charset=utf-8', String(last - first + 1)]);
      assert.deepEqual(body, CONTENT.subarray(first, last + 1));
    });
  }

  for (const [range, expected] of [
    ['bytes=0-0,2-2', [[0, 0], [2, 2]]],
    ['bytes=50-59,0-9', [[50, 59], [0, 9]]],
    ['bytes=0-9,-10', [[0, 9], [90, 99]]],
    ['bytes=0-9,10-19', [[0, 9], [10, 19]]],
    ['bytes=500-,0-9 , 20-29', [[0, 9], [20, 29]]],
    ['bytes=70-79,0-9,5-19', [[0, 19], [70, 79]]],
  ]) {
    it(`'${range}' is several parts`, async () => {
      const response = await ask(range);
      assert.deepEqual([response.status, response.complete, response.headers['content-range']], [206, true, undefined]);
      assert.equal(response.headers['content-length'], String(response.body.length));
      assert.deepEqual(partsOf(response), expected);
    });
  }

  for (const range of [
    'bytes', 'bytes=', 'bytes=,', 'bytes=-', 'bytes=a-b', 'bytes=5', 'bytes=9-5', 'bytes=1-2,9-5', 'bytes=1-2;3-4', 'bytes=0x1-2',
    'bytes=--1', 'bytes=1--2', 'bytes=+1-2', 'bytes=1.0-2', 'bytes =1-2', 'lines=1-2', 'bytes:1-2', '1-2', 'bytes=1 - 2',
  ]) {
    it(`'${range}' is ignored`, async () => {
      const { status, headers, body } = await ask(range);
      assert.deepEqual([status, headers['content-range'], headers['accept-ranges']], [200, undefined, 'bytes']);
      assert.deepEqual(body, CONTENT);
    });
  }

  for (const range of ['bytes=100-', 'bytes=100-200', 'bytes=-0', 'bytes=200-300,100-', 'bytes=99999999999999999999-']) {
    it(`'${range}' cannot be satisfied`, async () => {
      const { status, headers, body } = await ask(range);
      assert.deepEqual([status, headers['content-range'], headers['content-length'], body.length], [416, `bytes */${SIZE}`, '0', 0]);
    });
  }

  it('an empty file has no part', async () => {
    for (const range of ['bytes=0-', 'bytes=-1', 'bytes=0-0']) {
      const { status, headers } = await ask(range, {}, '');
      assert.deepEqual([status, headers['content-range']], [416, 'bytes */0']);
    }
    const { status, headers, body } = await ask('lines=1', {}, '');
    assert.deepEqual([status, headers['content-length'], body.length], [200, '0', 0]);
  });

  it('HEAD has no parts', async () => {
    const { status, headers, body } = await ask('bytes=0-9', { method: 'HEAD' });
    assert.deepEqual([status, headers['content-length'], headers['content-range'], body.length], [200, String(SIZE), undefined, 0]);
  });

  it('many small or overlapping ranges send no more than twice the file', async () => {
    const large = Buffer.alloc(100_000, 'x');
    const overlapping = await ask(`bytes=${Array.from({ length: 500 }, (_, i) => `${i}-`).join(',')}`, {}, large);
    assert.deepEqual([overlapping.status, overlapping.body.length], [206, large.length]);
    const tiny = await ask(`bytes=${Array.from({ length: 1500 }, (_, i) => `${2 * i}-${2 * i}`).join(',')}`, {}, Buffer.alloc(10_000, 'x'));
    assert.deepEqual([tiny.status, tiny.body.length], [200, 10_000]);
  });
});
