// Dates of HTTP: RFC 9110, section 5.6.7. Whole seconds.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = String.raw`(?<h>\d{2}):(?<m>\d{2}):(?<s>\d{2})`;
const MONTH = `(?<month>${MONTHS.join('|')})`;
const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d{2}) ${MONTH} (?<year>\d{4}) ${TIME} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(String.raw`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d{2})-${MONTH}-(?<year>\d{2}) ${TIME} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${MONTH} (?<day>[ \d]\d) ${TIME} (?<year>\d{4})$`),
];

/** Seconds since 1970. Undefined unless it has one of the three forms. */
export function parseHttpDate(text: string): number | undefined {
  const groups = FORMS.map((form) => form.exec(text)?.groups).find((found) => found !== undefined);
  if (groups === undefined) return undefined;
  const { day = '', month = '', year = '', h = '', m = '', s = '' } = groups;
  const [d, hours, minutes, seconds] = [day, h, m, s].map(Number) as [number, number, number, number];
  const index = MONTHS.indexOf(month);
  const whole = year.length === 2 ? inFull(Number(year)) : Number(year);
  // A second of 60 is a leap second. Years before 100 need setUTCFullYear.
  const date = new Date(Date.UTC(2000, index, 1, hours, minutes, seconds));
  date.setUTCFullYear(whole, index, d);
  const isDate = d >= 1 && date.getUTCDate() === d && hours < 24 && minutes < 60 && seconds <= 60;
  return isDate ? date.getTime() / 1000 : undefined;
}

/** Two digits that seem to be more than 50 years ahead are a year of the past. */
function inFull(year: number): number {
  const now = new Date().getUTCFullYear();
  const whole = now - (now % 100) + year;
  return whole > now + 50 ? whole - 100 : whole;
}

/** @param seconds - since 1970 */
export function formatHttpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}
