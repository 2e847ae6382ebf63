// Makes text safe in XML and HTML, and visible.

/** Control characters, and those that reverse the order of letters: a path must not look like another one. */
// oxlint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g;
/** As common/names.ts keeps bytes of a path. */
const NOT_UTF8 = /[\udc80-\udcff]/gu;
const CONTROL_PICTURES = 0x2400;

function pictureOfControl(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(CONTROL_PICTURES + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}

/** Replaces each invisible character with a visible one. */
export function visible(text: string): string {
  return text.replace(NOT_UTF8, (one) => `\\${(one.charCodeAt(0) - 0xdc00).toString(8)}`).toWellFormed().replace(INVISIBLE, pictureOfControl);
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For the inside of elements and of attributes. */
export function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** JSON for a script element: nothing in it can end the element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
