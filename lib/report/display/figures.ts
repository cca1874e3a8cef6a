/**
 * Shows figures: in a notebook interactively, with a static picture in the same output for viewers that have no
 * plotly (nbconvert, code hosting sites); in a terminal as a line that says what it is and where it was saved.
 */
import path from 'node:path';
import { MissingPackageError } from '../../errors';
import { figureTitle, plainFigure, type Figure } from '../figure';
import { renderFigure, saveFigure, type RenderOptions } from '../render-figure';
import { notebook, show, type Bundle } from './hook';

/** The output of a notebook for a figure; `note` is added to its text. */
export function figureBundle(figure: Figure, picture?: { svg: string; png?: Uint8Array }, note = ''): Bundle {
  // Bands, thin lines and labels, which no legend names, are not counted.
  const count = figure.data.filter((trace) => (trace as { hoverinfo?: string }).hoverinfo !== 'skip').length;
  return {
    'application/vnd.plotly.v1+json': plainFigure(figure, 'showFigure'),
    ...(picture ? { 'image/svg+xml': picture.svg } : {}),
    ...(picture?.png ? { 'image/png': Buffer.from(picture.png).toString('base64') } : {}),
    'text/plain': `figure "${figureTitle(figure)}" (${count} trace${count === 1 ? '' : 's'})${note}`,
  };
}

/** Within the working directory a path is shown from there, so that an executed notebook names no machine. */
function fromHere(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith('..') || path.isAbsolute(relative) ? file : relative;
}

export interface ShowFigureOptions extends RenderOptions {
  /** Also save the figure as `<dir>/<name>.svg`, `.png` and `.json`. */
  save?: { dir: string; name: string };
}

/**
 * Shows a figure, and saves it on request. In a notebook without the packages that draw pictures it is shown
 * interactively only, and says so.
 * @throws ArgumentError for a malformed figure; when saving, all errors of saveFigure
 */
export async function showFigure(figure: Figure, options: ShowFigureOptions = {}): Promise<void> {
  const { save, ...size } = options;
  const paths = save ? await saveFigure(save.dir, save.name, figure, size) : undefined;
  const note = paths ? `: ${[paths.png, paths.svg, paths.json].map(fromHere).join(', ')}` : '';
  if (!notebook()) {
    show(figureBundle(figure, undefined, note));
    return;
  }
  try {
    show(figureBundle(figure, await renderFigure(figure, { scale: 1, ...size }), note));
  } catch (error) {
    if (!(error instanceof MissingPackageError)) throw error;
    show(figureBundle(figure, undefined, `${note}; no static picture: ${error.what} (${error.help})`));
  }
}
