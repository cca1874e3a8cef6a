/**
 * A window in which plotly draws SVG without a browser: jsdom for the document, @napi-rs/canvas for the size of text
 * and for heatmaps. Nothing is added to this process's globals: all that plotly sees belongs to the jsdom window.
 * Loading takes about a second and happens once; the window is kept.
 */
import { readFileSync } from 'node:fs';
import { loadCanvas, type CanvasContext, type CanvasLike } from './fonts';
import { loadOptional, resolveOptional } from '../optional';
import { localBox, pageBox, type Box, type ElementLike } from './text-geometry';

interface Jsdom {
  JSDOM: new (html: string, options: object) => { window: PlotlyWindow };
  VirtualConsole: new () => object;
}

type Prototype = Record<string, unknown>;

export interface PlotlyWindow {
  eval(code: string): unknown;
  JSON: JSON;
  Math: { random: () => number };
  URL: Record<string, unknown>;
  SVGElement: { prototype: Prototype };
  Element: { prototype: Prototype };
  HTMLCanvasElement: { prototype: Prototype };
  Plotly: { toImage(figure: unknown, options: object): Promise<string>; version: string };
}

/** A repeatable stand-in for Math.random (mulberry32), because plotly puts random ids into its SVG. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Makes the ids of the next figure start over, so that a figure's bytes do not depend on those drawn before. */
export function reseed(window: PlotlyWindow): void {
  window.Math.random = randomFrom(1);
}

function rectangle({ left, top, right, bottom }: Box): object {
  return { x: left, y: top, left, top, right, bottom, width: right - left, height: bottom - top };
}

function measureWithFont(window: PlotlyWindow, context: CanvasContext): void {
  const nothing: Box = { left: 0, top: 0, right: 0, bottom: 0 };
  const svg = window.SVGElement.prototype;
  svg.getBBox = function (this: ElementLike) {
    return rectangle(localBox(this, context) ?? nothing);
  };
  svg.getComputedTextLength = function (this: ElementLike) {
    const box = localBox(this, context) ?? nothing;
    return box.right - box.left;
  };
  window.Element.prototype.getBoundingClientRect = function (this: ElementLike) {
    return rectangle(pageBox(this, context));
  };
}

function drawOnCanvas(window: PlotlyWindow, createCanvas: (width: number, height: number) => CanvasLike): void {
  interface Sized {
    width: number;
    height: number;
  }
  const canvases = new WeakMap<Sized, CanvasLike>();
  const canvasOf = (element: Sized) => {
    let canvas = canvases.get(element);
    if (!canvas || canvas.width !== element.width || canvas.height !== element.height) {
      canvas = createCanvas(element.width, element.height);
      canvases.set(element, canvas);
    }
    return canvas;
  };
  const prototype = window.HTMLCanvasElement.prototype;
  prototype.getContext = function (this: Sized, kind: string) {
    return kind === '2d' ? canvasOf(this).getContext('2d') : null;
  };
  prototype.toDataURL = function (this: Sized, mime?: string) {
    return canvasOf(this).toDataURL(mime);
  };
}

let kept: PlotlyWindow | undefined;

/**
 * The window with plotly in it. @throws MissingPackageError naming jsdom, plotly.js-dist, @napi-rs/canvas or the font
 */
export function plotlyWindow(where: string): PlotlyWindow {
  if (kept) return kept;
  const canvas = loadCanvas(where);
  const plotly = resolveOptional(where, 'plotly.js-dist', 'package.json').replace(/package\.json$/, 'plotly.js');
  const { JSDOM, VirtualConsole } = loadOptional<Jsdom>(where, 'jsdom');
  // A virtual console of its own keeps jsdom's "not implemented" remarks off the terminal.
  const { window } = new JSDOM('<!doctype html><body></body>', {
    runScripts: 'outside-only',
    pretendToBeVisual: true,
    virtualConsole: new VirtualConsole(),
  });
  window.URL.createObjectURL ??= () => 'blob:none';
  window.URL.revokeObjectURL ??= () => undefined;
  measureWithFont(window, canvas.createCanvas(8, 8).getContext('2d'));
  drawOnCanvas(window, (width, height) => canvas.createCanvas(width, height));
  reseed(window);
  window.eval(readFileSync(plotly, 'utf8'));
  kept = window;
  return window;
}
