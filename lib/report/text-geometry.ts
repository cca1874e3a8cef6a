/**
 * Layout of SVG text and groups for a document without a renderer. plotly asks the browser how large a label is
 * before it places legends, titles and margins; jsdom answers 0 to every such question. Here text is measured with
 * the real font, and the boxes of groups follow from their children and transforms.
 */
import { ascent, canvasFont, descent, type CanvasContext } from './fonts';

/** The part of a DOM element that is read here. */
export interface ElementLike {
  nodeName: string;
  nodeType: number;
  textContent: string | null;
  childNodes: ArrayLike<ElementLike>;
  parentNode: ElementLike | null;
  style?: Record<string, string>;
  getAttribute(name: string): string | null;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** An affine map (x, y) -> (a x + c y + e, b x + d y + f), as in SVG. */
type Matrix = [a: number, b: number, c: number, d: number, e: number, f: number];
const identity: Matrix = [1, 0, 0, 1, 0, 0];

function multiply(m: Matrix, n: Matrix): Matrix {
  return [
    m[0] * n[0] + m[2] * n[1],
    m[1] * n[0] + m[3] * n[1],
    m[0] * n[2] + m[2] * n[3],
    m[1] * n[2] + m[3] * n[3],
    m[0] * n[4] + m[2] * n[5] + m[4],
    m[1] * n[4] + m[3] * n[5] + m[5],
  ];
}

/** The matrix of an SVG transform attribute: any sequence of translate, scale, rotate and matrix. */
export function parseTransform(text: string | null): Matrix {
  let result = identity;
  for (const [, name, list] of (text ?? '').matchAll(/(\w+)\s*\(([^)]*)\)/g)) {
    const v = (list.match(/-?[\d.]+(?:e[-+]?\d+)?/gi) ?? []).map(Number);
    if (name === 'translate') result = multiply(result, [1, 0, 0, 1, v[0] ?? 0, v[1] ?? 0]);
    else if (name === 'scale') result = multiply(result, [v[0] ?? 1, 0, 0, v[1] ?? v[0] ?? 1, 0, 0]);
    else if (name === 'matrix' && v.length === 6) result = multiply(result, v as Matrix);
    else if (name === 'rotate') {
      const angle = ((v[0] ?? 0) * Math.PI) / 180;
      const [cos, sin, x, y] = [Math.cos(angle), Math.sin(angle), v[1] ?? 0, v[2] ?? 0];
      const turn = multiply([1, 0, 0, 1, x, y], [cos, sin, -sin, cos, 0, 0]);
      result = multiply(multiply(result, turn), [1, 0, 0, 1, -x, -y]);
    }
  }
  return result;
}

function mapBox(box: Box, m: Matrix): Box {
  const xs: number[] = [];
  const ys: number[] = [];
  for (const x of [box.left, box.right]) {
    for (const y of [box.top, box.bottom]) {
      xs.push(m[0] * x + m[2] * y + m[4]);
      ys.push(m[1] * x + m[3] * y + m[5]);
    }
  }
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

function union(boxes: Box[]): Box | undefined {
  if (boxes.length === 0) return undefined;
  return {
    left: Math.min(...boxes.map((b) => b.left)),
    top: Math.min(...boxes.map((b) => b.top)),
    right: Math.max(...boxes.map((b) => b.right)),
    bottom: Math.max(...boxes.map((b) => b.bottom)),
  };
}

/** A style property or attribute of the element or of the nearest ancestor that sets it. */
function inherited(element: ElementLike | null, name: string): string | undefined {
  for (let at = element; at && at.nodeType === 1; at = at.parentNode) {
    const value = at.style?.[name] || at.getAttribute(name);
    if (value) return value;
  }
  return undefined;
}

function fontSize(element: ElementLike | null): number {
  const own = element?.nodeType === 1 ? element.style?.['font-size'] || element.getAttribute('font-size') : undefined;
  if (own) {
    // Sub- and superscripts and <sup> give their size as a share of their parent's.
    if (own.endsWith('%')) return (parseFloat(own) / 100) * fontSize(element!.parentNode);
    if (/[\d.]em$/.test(own)) return parseFloat(own) * fontSize(element!.parentNode);
    return parseFloat(own) || 12;
  }
  return element?.parentNode?.nodeType === 1 ? fontSize(element.parentNode) : 12;
}

/** Width of all text below a node, each piece in its own font. */
function textWidth(node: ElementLike, context: CanvasContext): number {
  if (node.nodeType === 3) {
    const parent = node.parentNode;
    const weight = inherited(parent, 'font-weight') ?? '';
    const bold = weight === 'bold' || Number(weight) >= 600;
    context.font = canvasFont(fontSize(parent), bold, inherited(parent, 'font-style') === 'italic');
    return context.measureText((node.textContent ?? '').replace(/\u200b/g, '')).width;
  }
  let width = 0;
  for (const child of Array.from(node.childNodes)) width += textWidth(child, context);
  return width;
}

const number = (element: ElementLike, name: string, otherwise = 0) => {
  const value = parseFloat(element.getAttribute(name) ?? '');
  return Number.isFinite(value) ? value : otherwise;
};

/** The box of a <text>: one line, or plotly's <tspan class="line"> children, each with its own y and dy. */
function textBox(text: ElementLike, context: CanvasContext): Box | undefined {
  const size = fontSize(text);
  const anchor = inherited(text, 'text-anchor') ?? 'start';
  const lines = Array.from(text.childNodes).filter(
    (child) => child.nodeType === 1 && (child.getAttribute('class') ?? '').split(' ').includes('line'),
  );
  const parts = lines.length > 0 ? lines : [text];
  const boxes = parts.map((part) => {
    const width = textWidth(part, context);
    const x = number(part, 'x', number(text, 'x'));
    const dy = part.getAttribute('dy') ?? '0';
    const y = number(part, 'y', number(text, 'y')) + (dy.endsWith('em') ? parseFloat(dy) * size : parseFloat(dy) || 0);
    const left = anchor === 'middle' ? x - width / 2 : anchor === 'end' ? x - width : x;
    return { left, right: left + width, top: y - ascent * size, bottom: y + descent * size };
  });
  return text.textContent ? union(boxes) : undefined;
}

/** Box of an element in its own coordinates, its own transform left out; undefined when nothing in it has a size. */
export function localBox(element: ElementLike, context: CanvasContext): Box | undefined {
  const name = element.nodeName.toLowerCase();
  if (name === 'text') return textBox(element, context);
  if (name === 'tspan') {
    const size = fontSize(element);
    return { left: 0, right: textWidth(element, context), top: -ascent * size, bottom: descent * size };
  }
  if (name === 'rect' || name === 'image') {
    const [x, y] = [number(element, 'x'), number(element, 'y')];
    return { left: x, top: y, right: x + number(element, 'width'), bottom: y + number(element, 'height') };
  }
  if (name !== 'g' && name !== 'svg' && name !== 'a') return undefined;
  const boxes: Box[] = [];
  for (const child of Array.from(element.childNodes)) {
    if (child.nodeType !== 1) continue;
    const box = localBox(child, context);
    if (box) boxes.push(mapBox(box, parseTransform(child.getAttribute('transform'))));
  }
  return union(boxes);
}

/** Box of an element in the page's coordinates: all transforms from the root down to the element applied. */
export function pageBox(element: ElementLike, context: CanvasContext): Box {
  let matrix = identity;
  for (let at: ElementLike | null = element; at && at.nodeType === 1; at = at.parentNode) {
    matrix = multiply(parseTransform(at.getAttribute('transform')), matrix);
  }
  return mapBox(localBox(element, context) ?? { left: 0, top: 0, right: 0, bottom: 0 }, matrix);
}
