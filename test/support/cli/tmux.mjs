// A terminal that a test can read: tmux, on a server of its own.
import { execFileSync, spawnSync } from 'node:child_process';
import { until } from '../until.mjs';

let count = 0;

function quoted(word) {
  return `'${String(word).replaceAll("'", String.raw`'\''`)}'`;
}

/** A terminal of so many columns and rows in which a program runs; what it showed stays when it ends. */
export class Screen {
  #server = `memmap-${process.pid}-${(count += 1)}`;

  /** @param env of the program, beside ours */
  constructor(words, { columns = 80, rows = 24, env = {} } = {}) {
    const settings = Object.entries({ TERM: 'screen-256color', ...env }).map(([name, value]) => quoted(`${name}=${value}`));
    const command = `env -u NO_COLOR -u FORCE_COLOR -u COLUMNS ${settings.join(' ')} ${words.map(quoted).join(' ')}; echo "ended with $?"; exec sleep 600`;
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', columns, '-y', rows, command);
  }

  #tmux(...args) {
    return execFileSync('tmux', ['-L', this.#server, ...args.map(String)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** The text, lines without what is blank at their ends. */
  get text() {
    return this.#tmux('capture-pane', '-p').trimEnd();
  }

  /** With the codes of colours. */
  get coloured() {
    return this.#tmux('capture-pane', '-p', '-e').trimEnd();
  }

  /** Whether the cursor is shown. */
  get hasCursor() {
    return this.#tmux('display-message', '-p', '#{cursor_flag}').trim() === '1';
  }

  /** Process of the shell in it. */
  get pid() {
    return Number(this.#tmux('display-message', '-p', '#{pane_pid}'));
  }

  press(...keys) {
    this.#tmux('send-keys', ...keys);
  }

  resize(columns, rows) {
    this.#tmux('resize-window', '-x', columns, '-y', rows);
  }

  /** Waits until the text is as `is` wants it. */
  async shows(is, what = 'the terminal shows it') {
    let last = '';
    const matches = typeof is === 'function' ? is : (text) => is.test(text);
    try {
      await until(() => matches((last = this.text)), what, 20);
    } catch (error) {
      throw new Error(`${error.message}. It shows:\n${last}`, { cause: error });
    }
    return last;
  }

  close() {
    spawnSync('tmux', ['-L', this.#server, 'kill-server']);
  }
}
