// What the page is about. All text from outside gets into the page as text nodes.
import type { PageData, StateData } from '../page-data.js';

export const DATA: PageData = JSON.parse(document.querySelector('#data')?.textContent ?? '');
export const STATES: readonly StateData[] = DATA.states;
