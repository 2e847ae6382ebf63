// A headless Chromium that looks at pages in files, and notices what they should not do.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { needsTools } from '../process/tools.mjs';

const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/**
 * For the calling describe block: returns open(path, options) -> page. After each test no page
 * may have had an error, have opened a dialog, or have asked for anything but itself.
 */
export function browser() {
  let running;
  let problems = [];
  let pages = [];
  before(async function () {
    running = await chromium.launch({ executablePath: needsTools(this, 'chromium'), args: ARGUMENTS });
  });
  afterEach(async () => {
    const found = problems;
    await Promise.all(pages.map((page) => page.context().close()));
    [problems, pages] = [[], []];
    assert.deepEqual(found, []);
  });
  after(() => running?.close());
  return async (path, options = {}) => {
    const url = pathToFileURL(path).href;
    const context = await running.newContext({ viewport: { width: 1180, height: 900 }, ...options });
    const page = await context.newPage();
    pages.push(page);
    page.on('console', (message) => problems.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
    page.on('dialog', async (dialog) => {
      problems.push(`dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
    page.on('request', (request) => {
      if (request.url() !== url && !request.url().startsWith('data:')) problems.push(`request: ${request.url()}`);
    });
    await page.goto(url);
    // Maps are drawn when the page is first shown, which is after it is loaded.
    await page.waitForFunction(() => [...document.querySelectorAll('canvas')].slice(0, 1).every(({ width }) => width > 0));
    return page;
  };
}

/** Of two colours as the browser tells them, 'rgb(1, 2, 3)': 1 to 21, as WCAG has it. */
export function contrast(one, other) {
  const light = (color) => {
    const [red, green, blue] = color.match(/\d+/g).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const [low, high] = [light(one), light(other)].toSorted((a, b) => a - b);
  return high / low;
}
