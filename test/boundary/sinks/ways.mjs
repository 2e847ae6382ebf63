// Every way out, and what to pass where the bytes of a mapping are not right as they are.
import { ADDONS } from './addons.mjs';
import { PLACES } from './places.mjs';
import { VALUES } from './values.mjs';
import { WEB } from './web.mjs';

/** name => (what to send, path of a file to write) => the bytes that arrived. */
export const WAYS = { ...PLACES, ...WEB, ...VALUES, ...ADDONS };

/** What is right for every way out: what to write in its place, and what that passes. */
const COPY = { text: 'copyOut()', of: (mapping) => mapping.copyOut(0, mapping.length) };
const BLOB = { text: 'blob()', of: (mapping) => mapping.blob() };

/** Ways out for which one of the two buffers is not right in some runtime. */
const CALLS = {
  'new Response()': { ...BLOB, text: 'response(), or blob()' },
  'new Request()': BLOB,
  'fetch() body': BLOB,
};

/** { text, of(mapping) }: what to pass. A copy is right wherever nothing shorter to say is. */
export const callFor = (name) => CALLS[name] ?? COPY;
