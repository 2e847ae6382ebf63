// The part of the HTML page's script that puts cards and totals together, and finds files.
export const PAGE_SCRIPT: string = String.raw`
class Page {
  constructor({ files }) {
    this.tip = new Tip();
    this.colors = new Colors();
    this.list = document.querySelector('main');
    this.cards = files.map((file) => new Card(file, this));
    this.totals(files);
    this.list.prepend(...this.cards.map(({ box }) => box));
    this.watchSize();
    this.watchSeen();
    this.watchColors();
    this.filter();
  }

  totals(files) {
    const sum = (of) => files.reduce((all, file) => all + of(file), 0);
    const counts = STATES.map((state, i) => sum((file) => file.counts[i]));
    const [all, inMemory] = [sum((file) => file.bytes), sum((file) => file.bytesInMemory)];
    const text = count(files.length) + (files.length === 1 ? ' file' : ' files') + ', ' + bytes(inMemory) + ' of ' + bytes(all) + ' in memory' + (all > 0 ? ' (' + percent(inMemory, all) + ')' : '');
    document.querySelector('#totals').append(text);
    if (files.length > 1 && all > 0) document.querySelector('header .wide').append(bar(counts));
    const found = STATES.filter((state, i) => counts[i] > 0);
    const legend = found.map((state) => element('li', { title: state.meaning }, swatch(state), state.label));
    if (found.some(({ name }) => name === 'resident')) legend.push(element('li', {}, element('span', { class: 'swatch part' }), 'In part'));
    document.querySelector('.legend').append(...legend);
    const doubtful = files.filter(({ doubt }) => doubt !== undefined).length;
    if (doubtful > 0 && files.length > 1) {
      document.querySelector('header .wide').append(element('p', { class: 'doubt', style: 'margin-top: 16px' }, element('b', {}, 'Not to be relied on: '), count(doubtful) + ' of ' + count(files.length) + ' files. Each of them says why.'));
    }
  }

  watchSize() {
    const fit = () => {
      const style = getComputedStyle(this.cards[0].box);
      const width = this.cards.find(({ box }) => !box.hidden)?.box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      if (!(width > 0) || (width === this.width && devicePixelRatio === this.ratio)) return;
      Object.assign(this, { width, ratio: devicePixelRatio });
      for (const card of this.cards) card.fit(width);
    };
    this.fit = fit;
    if (this.cards.length === 0) return;
    fit();
    new ResizeObserver(fit).observe(this.list);
    addEventListener('resize', fit);
    addEventListener('scroll', () => this.tip.scrolled(), { passive: true });
  }

  watchSeen() {
    const cards = new Map(this.cards.map((card) => [card.box, card]));
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const card = cards.get(target);
          if (card.visible === isIntersecting) continue;
          card.visible = isIntersecting;
          card.draw();
        }
      },
      { rootMargin: '400px 0px' },
    );
    for (const { box } of this.cards) observer.observe(box);
    addEventListener('beforeprint', () => {
      for (const card of this.cards) Object.assign(card, { visible: true }).draw();
    });
  }

  watchColors() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.colors = new Colors();
      for (const card of this.cards) card.draw();
    });
  }

  filter() {
    const box = document.querySelector('.filter');
    box.hidden = this.cards.length < 4;
    const [input, found, none] = [box.querySelector('input'), box.querySelector('output'), document.querySelector('.none')];
    none.hidden = this.cards.length > 0;
    if (this.cards.length === 0) none.textContent = 'No files.';
    input.addEventListener('input', () => {
      const words = input.value.toLowerCase().split(/\s+/);
      for (const card of this.cards) card.box.hidden = !words.every((word) => card.text.includes(word));
      const left = this.cards.filter((card) => !card.box.hidden).length;
      found.textContent = input.value.trim() === '' ? '' : count(left) + ' of ' + count(this.cards.length);
      none.hidden = left > 0;
      this.fit();
    });
  }
}

new Page(DATA);
`;
