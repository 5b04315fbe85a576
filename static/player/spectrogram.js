// Draws a spectrogram from its bytes: column by column, the lowest band first; 255 is the loudest.
const NB_BANDS = 128;

/**
 * The part between the shares `from` and `to`, 0 to 1, fills the canvas. `colours`: [[red, green, blue], ...], from the
 * quietest to the loudest.
 */
export function drawSpectrogram(canvas, levels, colours, from, to) {
  const nbColumns = levels.length / NB_BANDS;
  const image = new ImageData(nbColumns, NB_BANDS);
  const palette = Uint32Array.from({ length: 256 }, (_, level) => pixel(colours, level / 255));
  const pixels = new Uint32Array(image.data.buffer);
  for (let column = 0; column < nbColumns; column++) {
    for (let band = 0; band < NB_BANDS; band++) {
      pixels[(NB_BANDS - 1 - band) * nbColumns + column] = palette[levels[column * NB_BANDS + band]];
    }
  }
  stretch(canvas, image, from, to);
}

function stretch(canvas, image, from, to) {
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d").putImageData(image, 0, 0);
  const context = canvas.getContext("2d");
  context.drawImage(small, from * image.width, 0, (to - from) * image.width, image.height, 0, 0, canvas.width, canvas.height);
}

/** The colour at `place`, 0 to 1, as the four bytes of a pixel on a little-endian machine, as all browsers have. */
function pixel(colours, place) {
  const position = place * (colours.length - 1);
  const index = Math.min(Math.floor(position), colours.length - 2);
  const share = position - index;
  const [red, green, blue] = colours[index].map((from, i) => Math.round(from + share * (colours[index + 1][i] - from)));
  return (255 << 24) | (blue << 16) | (green << 8) | red;
}
