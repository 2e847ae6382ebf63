// What the script of the HTML page is given, as JSON in the page.

export interface StateData {
  /** A class of the style, and a variable with its colour. */
  readonly name: string;
  readonly label: string;
  readonly meaning: string;
  readonly inMemory: boolean;
}

export interface FileData {
  readonly title: string;
  /** Bytes in a page. */
  readonly pageSize: number;
  readonly doubt?: string;
  /** Pages of each state. */
  readonly counts: readonly number[];
  readonly pages: number;
  readonly pagesInMemory: number;
  readonly bytes: number;
  readonly bytesInMemory: number;
  /** Offset of the first run. */
  readonly start: number;
  /** State and length, state and length: there may be 100,000. A state is an index of `states`. */
  readonly runs: readonly number[];
}

export interface PageData {
  readonly states: readonly StateData[];
  readonly files: readonly FileData[];
}
