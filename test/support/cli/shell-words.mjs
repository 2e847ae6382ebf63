// Command lines as a shell reads them: enough of it for the examples of documents.

/** The calls of memmap in a line: up to a pipe, a redirection, the end of a substitution or what is said of it. */
export function callsIn(line) {
  const calls = [];
  for (const { index } of line.matchAll(/(?<![\w./-])memmap(?= |$)/g)) calls.push(untilEnd(line.slice(index)));
  return calls;
}

function untilEnd(text) {
  let quote = '';
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quote !== '') quote = character === quote ? '' : quote;
    else if (`'"`.includes(character)) quote = character;
    else if (character === '(') depth += 1;
    else if (character === ')' && depth > 0) depth -= 1;
    else if (depth > 0) continue;
    else if ('|<>;&)'.includes(character) || /^(?:\s#| {2})/.test(text.slice(i))) return text.slice(0, i).trim();
  }
  return text.trim();
}

/** Words, without their quotes. Globs, variables and substitutions stay as they are; of a process's number any will do. */
export function wordsOf(call) {
  return [...call.replaceAll(/\$\(pgrep[^)]*\)|\$\$/g, '1').matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replaceAll(/['"]/g, ''));
}
