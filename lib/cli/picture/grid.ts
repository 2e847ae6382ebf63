// The positions of the cells of pictures: each picture is a band, bands are below each other, and the
// cells of a band are in rows like text. All numbers are pixels, except counts.
//
//   MARGIN
//   caption      room for a title; 0 in PNG
//   BAR          all pages of the file in one bar, by state
//   BAR_GAP
//   cells        of the largest pitch of PITCHES at which each page has its own cell;
//                if there is none, of the smallest pitch and several pages each
//   BAND_GAP, and the next band, or MARGIN
//
// Cell i is at column i % columns, row floor(i / columns). The right and lower `gap` pixels of
// its square are background.
import { type Cell, type Picture, pictureBytes, cellsOf } from './picture.js';

export const MARGIN = 32;
/** The width of the cells of a band. A multiple of each pitch. */
export const MAP_WIDTH = 1024;
export const BAR = 8;
export const BAR_GAP = 8;
export const BAND_GAP = 32;
export const PITCHES = [
  { pitch: 16, gap: 2 },
  { pitch: 8, gap: 1 },
  { pitch: 4, gap: 0 },
] as const;
/** The height of the cells of one band. Multiples of each pitch. */
const MOST_HEIGHT = 256;
const LEAST_HEIGHT = 16;
/** If all bands together would be higher than this, each becomes lower, down to the least height. */
const ALL_HEIGHTS = 16_384;

export interface Band {
  readonly picture: Picture;
  /** The top of the caption. */
  readonly top: number;
  readonly barTop: number;
  /** The top of the cells. */
  readonly mapTop: number;
  readonly mapHeight: number;
  readonly pitch: number;
  readonly gap: number;
  /** Cells in a row. */
  readonly columns: number;
  readonly cells: readonly Cell[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly bands: readonly Band[];
}

/** The height of the cells of each of `count` pictures. */
function heightOf(count: number): number {
  const height = Math.floor(ALL_HEIGHTS / Math.max(1, count) / LEAST_HEIGHT) * LEAST_HEIGHT;
  return Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, height));
}

function pagesOf(picture: Picture): number {
  const first = picture.runs[0]?.offset ?? 0;
  return Math.ceil((first + pictureBytes(picture)) / picture.pageSize) - Math.floor(first / picture.pageSize);
}

function bandOf(picture: Picture, top: number, caption: number, height: number): Band {
  const pages = pagesOf(picture);
  const room = (pitch: number): number => (MAP_WIDTH / pitch) * (height / pitch);
  const { pitch, gap } = PITCHES.find((one) => pages <= room(one.pitch)) ?? PITCHES[2];
  const cells = cellsOf(picture, room(pitch));
  const columns = MAP_WIDTH / pitch;
  const barTop = top + caption;
  return { picture, top, barTop, mapTop: barTop + BAR + BAR_GAP, mapHeight: Math.ceil(cells.length / columns) * pitch, pitch, gap, columns, cells };
}

/** @param caption room above each band; @param header room above them all */
export function layoutOf(pictures: readonly Picture[], caption = 0, header = 0): Layout {
  const height = heightOf(pictures.length);
  const bands: Band[] = [];
  let bottom = MARGIN + header - BAND_GAP;
  for (const picture of pictures) {
    const band = bandOf(picture, bottom + BAND_GAP, caption, height);
    bands.push(band);
    bottom = band.mapTop + band.mapHeight;
  }
  return { width: MAP_WIDTH + 2 * MARGIN, height: Math.max(2 * MARGIN, bottom + MARGIN), bands };
}

/** The square of a cell, without its gap. */
export function place({ columns, pitch, gap, mapTop }: Band, index: number): { x: number; y: number; size: number } {
  return { x: MARGIN + (index % columns) * pitch, y: mapTop + Math.floor(index / columns) * pitch, size: pitch - gap };
}
