/**
 * The one font of all static pictures. It comes from an npm package, so that a figure has the same letters, and the
 * same bytes, on a machine with other fonts or none; text is measured with the very files it is drawn with.
 */
import { loadOptional, resolveOptional } from '../optional';

/** Font stack written into figures. Verdana has the same letter widths, for viewers without DejaVu. */
export const fontFamily = 'DejaVu Sans, Verdana, sans-serif';

const files = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf', 'DejaVuSans-Oblique.ttf', 'DejaVuSans-BoldOblique.ttf'];

/** Our own name for the font, so that a system's DejaVu of another version is never measured instead. */
const alias = 'OmniLab Sans';

/** What this package uses of @napi-rs/canvas. */
export interface CanvasModule {
  createCanvas(width: number, height: number): CanvasLike;
  loadImage(source: Uint8Array): Promise<{ width: number; height: number }>;
  GlobalFonts: { registerFromPath(path: string, alias?: string): unknown; has(name: string): boolean };
}

export interface CanvasLike {
  width: number;
  height: number;
  getContext(kind: '2d'): CanvasContext;
  toBuffer(mime: 'image/png'): Uint8Array;
  toDataURL(mime?: string): string;
}

export interface CanvasContext {
  font: string;
  fillStyle: string;
  textAlign: string;
  textBaseline: string;
  imageSmoothingEnabled: boolean;
  fillRect(x: number, y: number, width: number, height: number): void;
  fillText(text: string, x: number, y: number): void;
  measureText(text: string): { width: number };
  createImageData(width: number, height: number): { data: Uint8ClampedArray };
  putImageData(image: object, x: number, y: number): void;
  drawImage(image: object, x: number, y: number, width: number, height: number): void;
}

/** Paths of the font's files. @throws MissingPackageError */
export function fontFiles(where: string): string[] {
  return files.map((file) => resolveOptional(where, 'dejavu-fonts-ttf', `ttf/${file}`));
}

/** The canvas package with the font registered. @throws MissingPackageError */
export function loadCanvas(where: string): CanvasModule {
  const canvas = loadOptional<CanvasModule>(where, '@napi-rs/canvas');
  if (!canvas.GlobalFonts.has(alias)) {
    for (const file of fontFiles(where)) canvas.GlobalFonts.registerFromPath(file, alias);
  }
  return canvas;
}

/** A font of the family, in CSS notation, for a canvas. */
export function canvasFont(size: number, bold = false, italic = false): string {
  return `${italic ? 'italic ' : ''}${bold ? 'bold ' : ''}${size}px "${alias}"`;
}

/** Height of the font above and below the baseline, as a share of its size (from the font's hhea table). */
export const ascent = 0.928;
export const descent = 0.236;
