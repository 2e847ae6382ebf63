// The pictures of memmap presence show what is in memory, pixel by pixel and word by word:
// lib/cli/picture/{picture,png,svg,paint,palette,grid,totals,escape}.ts, lib/cli/picture/html.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { browser, contrast } from '../../support/cli/browser.mjs';
import { distances } from '../../support/cli/color-vision.mjs';
import { evictPages, memmap, readPages } from '../../support/cli/cli.mjs';
import { DARK, LIGHT, PAGE, STATES, colorOf, decode, drawn, htmlOf, mixed, parseSvg, pngOf, presence, readPng, svgOf } from '../../support/cli/pictures.mjs';
import { despiteReclaim } from '../../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { needsTools } from '../../support/process/tools.mjs';

const PAGES = 400;
const PATTERN = { resident: [[0, 64], [100, 131], [300, 301], [399, 400]], dirty: [[64, 70], [200, 203], [300, 301]] };
const EVIL = '<script>alert(1)</script>&"\'.db';
const TEN_GIB = 10 * 2 ** 30;

/** A picture made by hand: [state, pages], … */
function picture(title, ...runs) {
  let offset = 0;
  const made = runs.map(([state, pages]) => ({ offset, length: pages * PAGE, state, end: (offset += pages * PAGE) }));
  return { title, pageSize: PAGE, runs: made };
}

describe('pictures of memmap presence', function () {
  despiteReclaim(this);
  this.timeout(120_000);
  const file = temporaryFiles();

  before(function () {
    needsTools(this, 'python3');
  });

  /** 10 GiB of which pages of three squares of 160 pages are in memory: all, half, one. */
  function huge(name, ...options) {
    const path = file(name, '');
    truncateSync(path, TEN_GIB);
    readPages(path, [[0, 80], [160, 320], [1600, 1601]]);
    const [told] = presence([path], options);
    assert.equal(told.inMemory, 241);
    return path;
  }

  it('have colours that all can tell apart', () => {
    for (const { states } of [LIGHT, DARK]) {
      const [nearest] = distances(states);
      assert.ok(nearest.distance > 0.14, `${nearest.pair}: ${nearest.distance}`);
    }
  });

  describe('--png', () => {
    it('paints each page in the colour of its state', function () {
      const states = drawn(this, file('a'), PAGES, PATTERN, ['--png', file('a.png')]);
      const png = readPng(file('a.png'));
      assert.deepEqual([png.width, png.height], [1088, 32 + 16 + 7 * 16 + 32]);
      for (const [page, state] of states.entries()) {
        const [x, y] = [32 + (page % 64) * 16, 48 + Math.floor(page / 64) * 16];
        assert.equal(colorOf(png, x, y, 14, 14), LIGHT.states[state], `page ${page}`);
        assert.equal(colorOf(png, x + 14, y, 2, 16), LIGHT.card, `beside page ${page}`);
        assert.equal(colorOf(png, x, y + 14, 16, 2), LIGHT.card, `below page ${page}`);
      }
      const last = 32 + (PAGES % 64) * 16;
      assert.equal(colorOf(png, last, 48 + 6 * 16, 1088 - last, 16), LIGHT.card, 'behind the last page');
    });

    it('says by the length of bars how much is in which state', () => {
      const png = decode(pngOf([picture('', ['resident', 100], ['absent', 200], ['dirty', 100])]));
      for (const [from, to, state] of [[0, 256, 'dirty'], [256, 512, 'resident'], [512, 1024, 'absent']]) {
        assert.equal(colorOf(png, 32 + from, 32, to - from, 8), LIGHT.states[state], state);
      }
    });

    it('mixes colours where a square is many pages', () => {
      huge('huge', '--png', file('huge.png'));
      const png = readPng(file('huge.png'));
      assert.equal(png.height, 32 + 16 + 256 + 32);
      const special = new Map([[0, 0.5], [1, 1], [10, 0.2]]);
      for (let cell = 0; cell < 256 * 64; cell++) {
        const color = colorOf(png, 32 + (cell % 256) * 4, 48 + Math.floor(cell / 256) * 4, 4, 4);
        assert.equal(color, mixed(LIGHT.states.resident, LIGHT.states.absent, special.get(cell) ?? 0), `cell ${cell}`);
      }
    });

    it('draws several files below each other, and of an empty one nothing', () => {
      const [one, empty, two] = [file('one', Buffer.alloc(70 * PAGE)), file('empty', ''), file('two', Buffer.alloc(3))];
      presence([one, empty, two], ['--png', file('several.png')]);
      const png = readPng(file('several.png'));
      const tops = [32, 32 + 16 + 32 + 32, 32 + 16 + 32 + 32 + 16 + 32];
      assert.equal(png.height, tops[2] + 16 + 16 + 32);
      const isBackground = (top, height) => colorOf(png, 0, top, 1088, height) === LIGHT.card;
      assert.notEqual(colorOf(png, 32 + 5 * 16, tops[0] + 32, 14, 14), LIGHT.card, 'page 69');
      assert.equal(colorOf(png, 32 + 6 * 16, tops[0] + 32, 14, 14), LIGHT.card, 'no page 70');
      assert.ok(isBackground(tops[0] + 48, tops[2] - tops[0] - 48), 'nothing of the empty one');
      assert.notEqual(colorOf(png, 32, tops[2] + 16, 14, 14), LIGHT.card);
      assert.equal(colorOf(png, 32 + 16, tops[2] + 16, 1024, 16), LIGHT.card, 'one page');
    });

    it('has a colour for each state, smaller squares for more pages, and refuses what is too high', () => {
      const png = decode(pngOf([picture('', ...STATES.map((state) => [state, 200]))]));
      for (const [index, state] of STATES.entries()) {
        const page = index * 200 + 199;
        assert.equal(colorOf(png, 32 + (page % 128) * 8, 48 + Math.floor(page / 128) * 8, 7, 7), LIGHT.states[state]);
      }
      assert.throws(() => pngOf(Array.from({ length: 2000 }, () => picture('', ['resident', 1]))), { message: /2000 files.*--html/ });
    });
  });

  describe('--svg', () => {
    it('has rectangles that cover just the pages in their state', function () {
      const states = drawn(this, file('b'), PAGES, PATTERN, ['--svg', file('b.svg')]);
      const { maps: [map], title, role, texts } = parseSvg(readFileSync(file('b.svg')));
      assert.deepEqual([title, role], ['Which pages of files are in memory', 'img']);
      const top = Math.min(...map.map(({ y }) => Number(y)));
      const painted = [];
      for (const { x, y, width, height, class: state, title: told } of map) {
        for (let row = (y - top) / 16; row < (y - top) / 16 + height / 16; row++) {
          for (let column = (x - 32) / 16; column < (x - 32) / 16 + width / 16; column++) {
            const page = row * 64 + column;
            assert.equal(painted[page], undefined, `page ${page} twice`);
            painted[page] = state;
            const [, first, last] = /pages (\d+) to (\d+): /.exec(told);
            assert.ok(page >= first && page <= last, `page ${page}: ${told}`);
          }
        }
      }
      assert.deepEqual(painted, states);
      assert.ok(map.length < 30, 'neighbours are one');
      const inMemory = states.filter((state) => state !== 'absent').length;
      assert.ok(texts.some((text) => text.includes(`${inMemory} of 400 pages`)), texts.join('\n'));
      assert.ok(texts.includes('not in memory'), 'a legend');
    });

    it('shows paths as they are, and what cannot be seen or written as a sign', () => {
      const path = file(`dir-${EVIL}`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, 'x');
      presence([path, file('line\n\u001b[31m\u202e', 'x')], ['--svg', file('c.svg')]);
      const { names, texts } = parseSvg(readFileSync(file('c.svg')));
      assert.ok(!names.includes('script'));
      assert.ok(texts.includes(path));
      assert.ok(texts.some((text) => text.endsWith('line␊␛[31m�')));
      const drawing = svgOf([picture('\ud800|\0|\u0085|\uffff', ['absent', 1])]);
      const odd = parseSvg(drawing);
      assert.ok(drawing.isWellFormed() && odd.texts.includes('�|␀|�|�'));
    });

    it('says how much of a square is in memory, and warns of what is doubtful', () => {
      huge('huge-too', '--svg', file('huge.svg'));
      const { maps: [map] } = parseSvg(readFileSync(file('huge.svg')));
      const parts = map.filter((one) => one['fill-opacity'] !== undefined).map((one) => [one['fill-opacity'], Number(one.x)]);
      assert.deepEqual(parts, [['0.50', 32], ['0.20', 32 + 40]]);
      assert.match(map[0].title, /^0 B to 640 KiB, pages 0 to 159: in memory 50.0%, not in memory 50.0%$/);
      const { texts } = parseSvg(svgOf([{ ...picture('x', ['resident', 1]), doubt: 'who <knows>' }]));
      assert.ok(texts.some((text) => text.includes('unreliable') && text.includes('who <knows>')));
    });
  });

  describe('--html', () => {
    const open = browser();
    const tip = (page) => page.locator('#tip').innerText();

    /** Points at each page of the first file: the words, and the colour below. */
    function lookAtAll(page, pages) {
      return page.evaluate((count) => {
        const canvas = document.querySelector('canvas');
        const box = canvas.getBoundingClientRect();
        const columns = Math.floor(box.width / 16);
        const { width, height } = canvas;
        const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, width, height);
        const hex = (at) => `#${Array.from(data.subarray(at, at + 3)).map((one) => one.toString(16).padStart(2, '0')).join('')}`;
        return Array.from({ length: count }, (_, index) => {
          const [x, y] = [((index % columns) + 0.4) * (box.width / columns), (Math.floor(index / columns) + 0.4) * 16];
          canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + x, clientY: box.top + y, bubbles: true }));
          return { color: hex(4 * (Math.floor(y) * width + Math.floor(x))), words: document.querySelector('#tip').innerText };
        });
      }, pages);
    }

    const WORDS = { dirty: 'changed, not on the disk yet', resident: 'in memory', absent: 'not in memory' };

    it('tells of each page where it is and what it is, in both themes', async function () {
      const states = drawn(this, file('d'), PAGES, PATTERN, ['--html', file('d.html')]);
      const page = await open(file('d.html'), { colorScheme: 'light' });
      const look = async (theme) => {
        const seen = await lookAtAll(page, PAGES);
        for (const [index, { color, words }] of seen.entries()) {
          const state = states[index];
          assert.equal(color, theme.states[state], `page ${index}`);
          const size = index === PAGES - 1 ? PAGE - 100 : PAGE;
          const bytes = [index * PAGE, index * PAGE + size - 1].map((one) => one.toLocaleString('en-US')).join(' – ');
          assert.ok(words.includes(`bytes ${bytes}\n`) && words.includes(`page ${index}\n`), words);
          assert.ok(words.split('\n').some((line) => line.trim().split('\t').join(' ') === `${WORDS[state]} 100%`), words);
        }
      };
      const colors = () => page.evaluate(() => ['body', '.file', 'h2', '.muted'].map((name, i) => getComputedStyle(document.querySelector(name))[i < 2 ? 'backgroundColor' : 'color']));
      await look(LIGHT);
      const light = await colors();
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await look(DARK);
      const dark = await colors();
      for (const [body, card, title, muted] of [light, dark]) {
        assert.ok(contrast(title, card) > 7 && contrast(muted, body) > 4.5 && contrast(muted, card) > 4.5);
      }
      assert.ok(contrast(light[0], dark[0]) > 12);
    });

    it('can be used with mouse, keys and fingers', async () => {
      writeFileSync(file('e.html'), htmlOf([picture('e', ['resident', 30], ['absent', 200], ['evicted', 1])]));
      const page = await open(file('e.html'));
      assert.match(await page.locator('.file').innerText(), /13\.0%\s+in memory\s+120 KiB of 924 KiB\s+231 pages\s+30 in memory\s+1 evicted\s+200 not in memory/);
      const widths = await page.locator('.file .bar > span').evaluateAll((parts) => parts.map((part) => part.clientWidth / part.parentNode.clientWidth));
      assert.deepEqual(widths.map((width) => Math.round(width * 20)), [3, 0, 17]);
      await page.locator('canvas').hover({ position: { x: 5, y: 5 } });
      assert.match(await tip(page), /^0 B – 4 KiB\n.*in memory.*as are pages 0 – 29/s);
      await page.mouse.move(2, 2);
      assert.ok(!(await page.locator('#tip').isVisible()));
      await page.keyboard.press('Tab');
      await page.keyboard.press('ArrowRight');
      assert.match(await tip(page), /page 1\n/);
      await page.keyboard.press('Shift+ArrowRight');
      assert.match(await tip(page), /page 30\n.*not in memory.*pages 30 – 229/s);
      await page.keyboard.press('End');
      assert.match(await page.locator('.spoken[aria-live]').textContent(), /page 230.*was in memory/s);
      const touch = await open(file('e.html'), { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } });
      await touch.locator('canvas').tap({ position: { x: 20, y: 5 } });
      assert.match(await tip(touch), /page 1\n/);
      assert.equal(await touch.evaluate(() => document.documentElement.scrollWidth), 390);
    });

    it('looks closer at a file of more pages than squares', async () => {
      huge('huge-html', '--html', file('huge.html'));
      const page = await open(file('huge.html'), { colorScheme: 'light' });
      const pixel = await page.locator('canvas').evaluate((canvas) => [...canvas.getContext('2d').getImageData(0, 0, 1, 1).data]);
      assert.equal(`#${Buffer.from(pixel).toString('hex', 0, 3)}`, mixed(LIGHT.states.resident, LIGHT.states.absent, 0.5));
      await page.keyboard.press('Tab');
      for (let next = 0; next < 4; next++) await page.keyboard.press('Shift+ArrowRight');
      assert.match(await tip(page), /\(\d+\)\n.*in memory\s+0\.6%.*not in memory\s+99\.4%/s);
      for (let closer = 0; closer < 3; closer++) await page.keyboard.press('Enter');
      await page.keyboard.press('Home');
      await page.locator('.foot', { hasText: 'A square is a page of 4 KiB' }).waitFor();
      for (let next = 0; !(await tip(page)).includes('page 1,600\n'); next++) {
        assert.ok(next < 20, await tip(page));
        await page.keyboard.press('Shift+ArrowRight');
      }
      assert.match(await tip(page), /bytes 6,553,600 – 6,557,695\n.*\n\s*in memory\s+100%/s);
      await page.locator('button', { hasText: 'Whole file' }).click();
      assert.match(await page.locator('.foot').innerText(), /^A square is 1\d\d pages/);
    });

    it('stays small with many files and runs, and finds files', async () => {
      const runs = Array.from({ length: 100_000 }, (_, i) => [STATES[i % 7], 1 + (i % 3)]);
      const files = [picture('/big', ...runs), ...Array.from({ length: 300 }, (_, i) => picture(`/data/${i}.db`, ['resident', 5000], ['absent', i + 1]))];
      writeFileSync(file('f.html'), htmlOf(files));
      const page = await open(file('f.html'));
      const count = (selector) => page.locator(selector).count();
      assert.ok((await page.locator('.file').first().evaluate((box) => box.querySelectorAll('*').length)) < 100);
      const kept = await page.evaluate(() => [...document.querySelectorAll('canvas')].filter(({ width }) => width > 0).length);
      assert.ok(kept > 0 && kept < 20, `${kept} maps in memory`);
      await page.fill('input', '17 DATA');
      assert.equal(await count('.file:visible'), files.filter(({ title }) => title.includes('17')).length);
      await page.locator('.file:visible canvas').first().hover({ position: { x: 5, y: 5 } });
      assert.match(await tip(page), /in memory\s+100%/);
      await page.fill('input', 'nowhere');
      assert.equal(await count('.file:visible'), 0);
      assert.ok(await page.locator('.none').isVisible());
    });

    it('has a style that the browser knows', async () => {
      writeFileSync(file('style.html'), htmlOf([]));
      const page = await open(file('style.html'));
      const [known, unknown] = await page.locator('style').evaluate(({ textContent }) => {
        const declarations = Array.from(textContent.matchAll(/(?<![\w-])(?!--)([\w-]+): ([^;{}]+?)(?: !important)?;/g), ([, name, value]) => [name, value]);
        return [true, false].map((is) => declarations.filter(([name, value]) => CSS.supports(name, value) === is));
      });
      assert.deepEqual(unknown, []);
      assert.ok(known.length > 150);
    });

    it('shows paths as text, empty files as empty, and doubt as a warning', async () => {
      const evil = file(`page-${EVIL}`);
      mkdirSync(dirname(evil), { recursive: true });
      writeFileSync(evil, 'x');
      presence([evil, file('empty', '')], ['--html', file('g.html')]);
      const page = await open(file('g.html'));
      assert.deepEqual(await page.locator('h2').allInnerTexts(), [evil, file('empty')]);
      assert.match(await page.locator('.file').nth(1).innerText(), /Empty/);
      assert.equal(await page.locator('.file').nth(1).locator('canvas').count(), 0);
      const doubtful = { ...picture(`\u2028${EVIL}`, ['resident', 1]), doubt: '<b>nobody</b> knows' };
      writeFileSync(file('h.html'), htmlOf([doubtful]));
      const other = await open(file('h.html'));
      assert.match(await other.locator('.file .doubt').innerText(), /Unreliable: <b>nobody<\/b> knows/);
      writeFileSync(file('i.html'), htmlOf([]));
      assert.match(await (await open(file('i.html'))).locator('main').innerText(), /No files/);
    });
  });

  it('come in all forms at once', () => {
    const path = file('all', 'x');
    evictPages(path);
    const { status, stderr } = memmap(['presence', '--png', file('all.png'), '--svg', file('all.svg'), '--html', file('all.html'), path]);
    assert.equal(status, 0, stderr);
    assert.equal(readPng(file('all.png')).width, 1088);
    assert.equal(parseSvg(readFileSync(file('all.svg'))).maps.length, 1);
    assert.match(readFileSync(file('all.html'), 'utf8'), /^<!DOCTYPE html>/);
  });
});
