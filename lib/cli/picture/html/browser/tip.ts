// The one tooltip of the page.
import { element } from './element.js';

export class Tip {
  readonly #box = element('div', { class: 'tip', role: 'tooltip', id: 'tip', hidden: true });
  readonly #spoken = element('div', { class: 'spoken', 'aria-live': 'polite' });
  #isAloud = false;

  constructor() {
    document.body.append(this.#box, this.#spoken);
  }

  /** Beside the rectangle, inside of the window. */
  show(rectangle: DOMRect, content: readonly HTMLElement[], isAloud: boolean): void {
    this.#box.replaceChildren(...content);
    this.#box.hidden = false;
    const { width, height } = this.#box.getBoundingClientRect();
    const left = Math.min(Math.max(8, rectangle.left + rectangle.width / 2 - width / 2), innerWidth - width - 8);
    const below = rectangle.bottom + 12;
    const top = below + height + 8 <= innerHeight ? below : Math.max(8, rectangle.top - 12 - height);
    this.#box.style.transform = `translate(${Math.round(left)}px,${Math.round(top)}px)`;
    this.#isAloud = isAloud;
    if (isAloud) this.#spoken.textContent = content.map((one) => one.innerText).join('. ');
  }

  hide(): void {
    this.#box.hidden = true;
  }

  /** What the mouse pointed at has moved away; where the keys are has not. */
  scrolled(): void {
    if (!this.#isAloud) this.hide();
  }
}
