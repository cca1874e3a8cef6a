/**
 * Static pictures of figures without a browser, a display or a download: plotly draws SVG in a jsdom window, resvg
 * turns it into PNG with the font that the text was measured with. The same figure gives the same bytes.
 */
import { OmniError, ArgumentError } from '../errors';
import { figureTitle, plainFigure, requireDrawable, type Figure } from './figure';
import { writeFiles } from './files';
import { fontFiles } from './fonts';
import { loadOptional } from '../optional';
import { plotlyWindow, reseed } from './plotly-window';

interface Resvg {
  renderAsync(svg: string, options: object): Promise<{ asPng(): Uint8Array }>;
}

/** plotly did not finish drawing a figure. */
export class FigureError extends OmniError {}

export interface RenderOptions {
  /** Width in CSS pixels; default the figure's own layout.width, else 900. */
  width?: number;
  /** Height in CSS pixels; default the figure's own layout.height, else 540. */
  height?: number;
  /** PNG pixels per CSS pixel, 0.25 to 8; default 2. */
  scale?: number;
}

export interface RenderedFigure {
  svg: string;
  png: Uint8Array;
}

const where = 'renderFigure';
const timeLimit = 60_000;

/** One figure at a time: the random ids of two figures drawn at once would mix. */
let queue: Promise<unknown> = Promise.resolve();

function between(name: string, value: unknown, low: number, high: number): number {
  if (typeof value !== 'number' || !(value >= low && value <= high)) {
    throw new ArgumentError(
      where,
      `expected ${name} between ${low} and ${high}, got ${String(value)}`,
      `set ${name} in the options or in the figure's layout`,
    );
  }
  return value;
}

/** Draws the figure as SVG text. Same errors as `renderFigure`. */
export async function renderSvg(figure: Figure, options: RenderOptions = {}): Promise<string> {
  const plain = plainFigure(figure, where);
  requireDrawable(plain, where);
  const width = between('width', options.width ?? plain.layout.width ?? 900, 50, 10_000);
  const height = between('height', options.height ?? plain.layout.height ?? 540, 50, 10_000);
  const turn = queue.then(() => draw(plain, width, height));
  queue = turn.catch(() => undefined);
  return turn;
}

async function draw(figure: Figure, width: number, height: number): Promise<string> {
  const window = plotlyWindow(where);
  reseed(window);
  const inside = window.JSON.parse(JSON.stringify(figure)) as unknown;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not drawn after ${timeLimit / 1000} s`)), timeLimit);
  });
  try {
    const image = window.Plotly.toImage(inside, { format: 'svg', width, height, imageDataOnly: true });
    const svg = await Promise.race([image, late]);
    // plotly quotes its references, as CSS allows; SVG readers other than browsers then find no gradient or pattern.
    return svg.replace(/url\((?:'|"|&quot;)(#[^'"&)]+)(?:'|"|&quot;)\)/g, 'url($1)');
  } catch (error) {
    throw new FigureError(
      where,
      `plotly could not draw the figure "${figureTitle(figure)}": ${(error as Error).message ?? String(error)}`,
      'compare the attributes of data and layout with the plotly reference',
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** SVG to PNG with the package's own font only, so that no font of the machine changes the picture. */
export async function svgToPng(svg: string, scale = 2): Promise<Uint8Array> {
  between('scale', scale, 0.25, 8);
  const resvg = loadOptional<Resvg>(where, '@resvg/resvg-js');
  const image = await resvg.renderAsync(svg, {
    font: {
      loadSystemFonts: false,
      fontFiles: fontFiles(where),
      defaultFontFamily: 'DejaVu Sans',
      sansSerifFamily: 'DejaVu Sans',
    },
    background: 'white',
    fitTo: { mode: 'zoom', value: scale },
    // Heatmap cells are single pixels of an image that is blown up: they must keep hard edges.
    imageRendering: 1,
  });
  return new Uint8Array(image.asPng());
}

/**
 * Draws a figure as SVG and PNG. About a second the first time, then 0.1 to 0.3 s a figure.
 * @throws ArgumentError for a figure that is malformed or needs a browser (WebGL, maps)
 * @throws MissingPackageError naming jsdom, plotly.js-dist, @napi-rs/canvas, @resvg/resvg-js or dejavu-fonts-ttf
 * @throws FigureError when plotly fails
 */
export async function renderFigure(figure: Figure, options: RenderOptions = {}): Promise<RenderedFigure> {
  const scale = between('scale', options.scale ?? 2, 0.25, 8);
  const svg = await renderSvg(figure, options);
  return { svg, png: await svgToPng(svg, scale) };
}

export interface SavedFigure {
  svg: string;
  png: string;
  json: string;
}

/** Draws the figure and writes `<name>.svg`, `<name>.png` and `<name>.json` into `dir`. Returns the three paths. */
export async function saveFigure(
  dir: string,
  name: string,
  figure: Figure,
  options: RenderOptions = {},
): Promise<SavedFigure> {
  const { svg, png } = await renderFigure(figure, options);
  const json = JSON.stringify(plainFigure(figure, 'saveFigure')) + '\n';
  const paths = await writeFiles('saveFigure', dir, name, { svg, png, json });
  return { svg: paths[0], png: paths[1], json: paths[2] };
}
