// Pictures as a PNG: the bands of grid.ts in the light theme, without text.
import { constants } from 'node:zlib';
import { PNG } from 'pngjs';
import { UsageError } from '../common/exit.js';
import { type Rgb, blend, rgbOf } from './blend.js';
import { LIGHT } from './palette.js';
import { paintOf } from './paint.js';
import type { PageState, Picture } from './picture.js';
import { barOf, sumsOf } from './totals.js';
import { BAR, MAP_WIDTH, MARGIN, layoutOf, place } from './grid.js';

/** Pixels. Viewers do not show larger PNGs, and the whole PNG is in memory. */
const MOST_HEIGHT = 65_535;

class Canvas {
  readonly #png: PNG;

  constructor(width: number, height: number, background: Rgb) {
    this.#png = new PNG({ width, height });
    this.rectangle(0, 0, width, height, background);
  }

  rectangle(x: number, y: number, width: number, height: number, [red, green, blue]: Rgb): void {
    const { data, width: stride } = this.#png;
    for (let row = y; row < y + height; row++) {
      for (let at = 4 * (row * stride + x); at < 4 * (row * stride + x + width); at += 4) {
        data[at] = red;
        data[at + 1] = green;
        data[at + 2] = blue;
        data[at + 3] = 255;
      }
    }
  }

  /** Without filters: areas of one colour are smallest that way. */
  toBuffer(): Buffer {
    return PNG.sync.write(this.#png, { colorType: 2, inputHasAlpha: true, filterType: 0, deflateStrategy: constants.Z_DEFAULT_STRATEGY, deflateLevel: 6 });
  }
}

/** @throws {UsageError} for too many pictures: about 1,000 */
export function pngOf(pictures: readonly Picture[]): Buffer {
  const { width, height, bands } = layoutOf(pictures);
  if (height > MOST_HEIGHT) throw new UsageError(`a PNG of ${pictures.length} files would be ${height} pixels high, more than ${MOST_HEIGHT}: use --html`);
  const color = (state: PageState): Rgb => rgbOf(LIGHT.states[state]);
  const canvas = new Canvas(width, height, rgbOf(LIGHT.card));
  for (const band of bands) {
    for (const { state, start, end } of barOf(sumsOf(band.picture), MAP_WIDTH)) canvas.rectangle(MARGIN + start, band.barTop, end - start, BAR, color(state));
    for (const [index, cell] of band.cells.entries()) {
      const { x, y, size } = place(band, index);
      const { over, under, alpha } = paintOf(cell);
      canvas.rectangle(x, y, size, size, blend(color(over), color(under), alpha));
    }
  }
  return canvas.toBuffer();
}
