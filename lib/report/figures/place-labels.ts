/** Chooses a side for the label of each point, so that labels keep off each other, the points with their error bars, and the edges. */

/** Positions as plotly names them, the preferred first. */
const sides = ['top center', 'middle right', 'middle left', 'bottom center', 'top right', 'top left', 'bottom right', 'bottom left'];

interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const overlap = (a: Rectangle, b: Rectangle) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

const area = (a: Rectangle) => (a.right - a.left) * (a.bottom - a.top);

const cap = (x: number, y: number): Rectangle => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 });

/** Greedy, in the order given. Positions, half lengths of error bars and `size` in pixels, y downwards; letters are taken as 7.6 x 15 pixels. */
export function placeLabels(
  points: { text: string; x: number; y: number; xError?: number; yError?: number }[],
  size: { width: number; height: number },
): string[] {
  const marks = points.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 }));
  const bars = points.flatMap(({ x, y, xError = 0, yError = 0 }) => [
    { left: x - xError, right: x + xError, top: y - 2, bottom: y + 2 },
    { left: x - 2, right: x + 2, top: y - yError, bottom: y + yError },
    // The ends of error bars: a label on one hides how long the bar is.
    ...(xError > 0 ? [-1, 1].map((s) => cap(x + s * xError, y)) : []),
    ...(yError > 0 ? [-1, 1].map((s) => cap(x, y + s * yError)) : []),
  ]);
  const placed: Rectangle[] = [];
  const inside = { left: 0, top: 0, right: size.width, bottom: size.height };
  return points.map(({ text, x, y }, i) => {
    const width = text.length * 7.6;
    const boxes = sides.map((side) => {
      const left = side.endsWith('right') ? x + 9 : side.endsWith('left') ? x - 9 - width : x - width / 2;
      const top = side.startsWith('top') ? y - 24 : side.startsWith('bottom') ? y + 9 : y - 7.5;
      return { left, right: left + width, top, bottom: top + 15 };
    });
    const cost = (box: Rectangle) =>
      [...placed, ...bars, ...marks.filter((_, k) => k !== i)].reduce((sum, other) => sum + overlap(box, other), 0) +
      area(box) -
      overlap(box, inside);
    const costs = boxes.map(cost);
    const best = costs.indexOf(Math.min(...costs));
    placed.push(boxes[best]);
    return sides[best];
  });
}
