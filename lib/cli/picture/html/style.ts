// The style of the HTML page. Colours come from palette.ts, as variables.
import { DARK, LIGHT, cssVariables } from '../palette.js';
import { STATES } from '../picture.js';

export const STYLE: string = `
:root { color-scheme: light dark; ${cssVariables(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { ${cssVariables(DARK)} } }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; -webkit-text-size-adjust: 100%; }
.wide { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
header { padding: 40px 0 20px; }
h1 { margin: 0; font-size: 27px; line-height: 1.25; letter-spacing: -0.015em; }
h2 { margin: 0; font-size: 16px; line-height: 1.4; font-weight: 650; overflow-wrap: anywhere; unicode-bidi: isolate; }
p { margin: 0; }
.muted, .folder { color: var(--muted); }
.folder { font-weight: 400; }
.number { font-variant-numeric: tabular-nums; }

.bar { display: flex; gap: 2px; height: 10px; border-radius: 4px; overflow: hidden; background: var(--absent); }
.bar > span { flex: 1 1 0; min-width: 3px; }
header .bar { height: 14px; border-radius: 5px; margin: 20px 0 0; }
${STATES.map((state) => `.${state} { background: var(--${state}); }`).join('\n')}

.tools { position: sticky; top: 0; z-index: 2; background: var(--page); border-bottom: 1px solid var(--line); padding: 12px 0; }
.tools > .wide { display: flex; flex-wrap: wrap; gap: 10px 24px; align-items: center; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0; padding: 0; list-style: none; flex: 1 1 0; min-width: min(100%, 420px); font-size: 14px; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 8px; vertical-align: -1px; flex: none; box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--text) 16%, transparent); }
.part { background: linear-gradient(90deg, color-mix(in srgb, var(--resident) 20%, var(--absent)), color-mix(in srgb, var(--resident) 80%, var(--absent))); width: 28px; }
.filter { display: flex; gap: 12px; align-items: center; margin-left: auto; }
output:empty { display: none; }
input { font: inherit; font-size: 14px; color: inherit; width: 220px; max-width: 100%; padding: 6px 12px; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
button { font: inherit; font-size: 13px; color: inherit; padding: 3px 10px; border: 1px solid var(--line); border-radius: 7px; background: var(--card); cursor: pointer; }
button:hover:enabled { border-color: var(--muted); }
button:disabled { opacity: 0.4; cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

main.wide { padding-top: 24px; padding-bottom: 64px; }
.file { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 20px 22px 14px; margin-bottom: 16px; content-visibility: auto; contain-intrinsic-size: auto 300px; }
.head { display: flex; gap: 24px; justify-content: space-between; align-items: baseline; }
.share { font-size: 22px; line-height: 1.2; font-weight: 650; letter-spacing: -0.01em; white-space: nowrap; }
.share small { font-size: 13px; font-weight: 400; letter-spacing: 0; color: var(--muted); }
.sums { display: flex; flex-wrap: wrap; gap: 0 18px; font-size: 13.5px; color: var(--muted); margin: 2px 0 12px; }
.doubt { background: var(--warning); color: var(--warningText); border-radius: 8px; padding: 8px 12px; font-size: 14px; margin: 0 0 12px; }
.doubt b { font-weight: 650; }
.map { position: relative; margin-top: 14px; }
canvas { display: block; touch-action: pan-y pinch-zoom; border-radius: 2px; cursor: crosshair; }
.cursor { position: absolute; scroll-margin: 90px 0; pointer-events: none; outline: 2px solid var(--accent); outline-offset: 1px; border-radius: 2px; box-shadow: 0 0 0 1px var(--card); }
.foot { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; min-height: 28px; margin-top: 8px; font-size: 13px; color: var(--muted); }
.foot > span:first-child { flex: 1 1 auto; }
.views { display: flex; gap: 6px; }

.tip { position: fixed; z-index: 3; left: 0; top: 0; min-width: 210px; max-width: min(340px, calc(100vw - 16px)); padding: 10px 14px 11px; border-radius: 10px; background: var(--card); color: var(--text); border: 1px solid var(--line); box-shadow: 0 6px 24px rgb(0 0 0 / 0.18); font-size: 13px; line-height: 1.55; pointer-events: none; }
.tip b { font-size: 14px; font-weight: 650; }
.tip table { border-collapse: collapse; margin-top: 6px; width: 100%; }
.tip td { padding: 1px 0; }
.tip td + td { text-align: right; padding-left: 18px; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.none { padding: 48px 0; text-align: center; color: var(--muted); }

@media (max-width: 640px) {
  .wide { padding: 0 14px; }
  header { padding-top: 24px; }
  .tools { position: static; }
  .file { padding: 16px 14px; }
  .head { flex-direction: column; gap: 2px; }
  .filter, .filter input { width: 100%; margin: 0; }
}
@media print { .tools { position: static; } .file { break-inside: avoid; } .filter, .views { display: none; } }
`;
