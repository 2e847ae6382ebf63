// How far colours are apart, for people of usual and of unusual colour vision.

/** What is seen of red, green and blue light: Machado, Oliveira and Fernandes 2009, full severity. */
const VISIONS = {
  usual: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i], 0));

/** '#rrggbb' in OKLab, in which distances are as large as they look. */
function seen(color, vision) {
  const light = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  const rgb = times(VISIONS[vision], light).map((part) => Math.max(0, part));
  const cones = times([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]], rgb);
  return times([[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]], cones.map(Math.cbrt));
}

/** Of named colours, each two in each vision: { pair, distance }, the nearest first. */
export function distances(colors) {
  const found = [];
  for (const vision of Object.keys(VISIONS)) {
    const all = Object.entries(colors).map(([name, color]) => ({ name, at: seen(color, vision) }));
    for (const [i, one] of all.entries()) {
      for (const other of all.slice(0, i)) found.push({ pair: `${one.name}, ${other.name}: ${vision}`, distance: Math.hypot(...one.at.map((value, k) => value - other.at[k])) });
    }
  }
  return found.toSorted((a, b) => a.distance - b.distance);
}
