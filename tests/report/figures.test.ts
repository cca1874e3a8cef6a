/** The figure helpers without drawing: smoothing, Pareto front, ticks, styles, and what they refuse. */
import assert from 'node:assert/strict';
import {
  barFigure,
  type Figure,
  heatmapFigure,
  lineFigure,
  paretoFront,
  radarFigure,
  scatterFigure,
  seriesStyle,
  smooth,
  wrapText,
} from '../../lib/report';
import { tickLabels } from '../../lib/report/figures/tick-labels';
import { placeLabels } from '../../lib/report/figures/place-labels';

const axes = { x: { title: 'x' }, y: { title: 'y' } };
const line = (series: Parameters<typeof lineFigure>[0]['series'], more: object = {}) =>
  lineFigure({ title: 't', ...axes, series, ...more });

describe('figure helpers', () => {
  it('smooths without bias towards the start, and keeps gaps', () => {
    assert.deepEqual(smooth([2, 2, 2], 0.9).map((v) => v?.toFixed(6)), ['2.000000', '2.000000', '2.000000']); // prettier-ignore
    // (0.5 * 0.5 * 1 + 0.5 * 4) / (0.25 + 0.5) = 3
    assert.deepEqual(smooth([1, null, 4], 0.5), [1, null, 3]);
    assert.deepEqual(smooth([1, 5], 0), [1, 5]);
  });

  it('finds the Pareto front in each direction', () => {
    const points = [{ x: 1, y: 1 }, { x: 2, y: 3 }, { x: 3, y: 2 }, { x: 2, y: 2 }]; // prettier-ignore
    assert.deepEqual(paretoFront(points, { x: 'lower', y: 'higher' }), [0, 1]);
    assert.deepEqual(paretoFront(points, { x: 'higher', y: 'higher' }), [1, 2]);
    assert.deepEqual(paretoFront(points, { x: 'lower', y: 'lower' }), [0]);
    assert.deepEqual(paretoFront([points[0], points[0]], { x: 'lower', y: 'lower' }), [0, 1], 'equal points stay');
  });

  it('gives 72 series distinct looks, the first eight distinct colours', () => {
    const looks = Array.from({ length: 72 }, (_, i) => JSON.stringify([seriesStyle(i).color, seriesStyle(i).marker]));
    assert.equal(new Set(looks).size, 72);
    assert.equal(new Set(Array.from({ length: 8 }, (_, i) => seriesStyle(i).color)).size, 8);
    assert.equal(new Set(Array.from({ length: 6 }, (_, i) => seriesStyle(i).dash)).size, 6);
  });

  it('wraps at spaces, then after _ and -, then anywhere, and escapes', () => {
    assert.equal(wrapText('one two three', 7), 'one two<br>three');
    assert.equal(wrapText('search_and_generate', 12), 'search_and_<br>generate');
    assert.equal(wrapText('abcdefghij', 4), 'abcd<br>efgh<br>ij');
    assert.equal(wrapText('a<b & c', 20), 'a&lt;b &amp; c');
  });

  it('labels log axes at powers over many decades, at 1, 2, 5 over two, more closely over one', () => {
    const ticks = (y: number[]) =>
      (line([{ name: 'a', y }], { y: { title: 'y', log: true } }).layout as { yaxis: { ticktext?: string[] } }).yaxis
        .ticktext;
    assert.ok(ticks([1, 90])!.join(' ').includes('1 2 5 10 20 50 100'));
    assert.ok(ticks([1, 9000])!.join(' ').includes('1 10 100 1000'));
    assert.ok(ticks([2e-5, 9e-5])!.join(' ').includes('1e-5 1.5e-5 2e-5 3e-5'));
    assert.ok(ticks([0.2, 0.9])!.join(' ').includes('0.1 0.15 0.2 0.3 0.4 0.5 0.7 1'));
    assert.equal(ticks([1, 3]), undefined);
  });

  it('leaves room where a value lies at the end of a range, and says what thin lines and bands are', () => {
    const range = { y: { title: 'y', range: [0, 1] as [number, number] } };
    const yRange = (y: number[], more = {}) =>
      (line([{ name: 'a', y, ...more }], range).layout as { yaxis: { range: number[] } }).yaxis.range;
    assert.deepEqual(yRange([0.2, 0.9]), [0, 1]);
    assert.deepEqual(yRange([0, 1]), [-0.02, 1.02]);
    assert.deepEqual(yRange([0.5, 0.5], { lower: [0.4, 0.4], upper: [0.6, 1] }), [0, 1.02]);
    const bars = barFigure({ title: 't', categories: ['a'], groups: [{ name: 'g', values: [1] }], ...range });
    assert.deepEqual((bars.layout as { yaxis: { range: number[] } }).yaxis.range, [0, 1.02], 'bars begin at 0');
    const title = (figure: Figure) => (figure.layout as { title: { text: string } }).title.text;
    const band = { name: 'a', y: [1], lower: [0], upper: [2] };
    assert.match(title(line([band], { smoothing: 0.5, band: 'two seeds' })), /moving average.*0\.5.*band: two seeds/);
    assert.equal(title(line([{ name: 'a', y: [1] }], { band: 'two seeds' })), 't');
  });

  it('labels bars above their error bars, the paper in full, and a 0 that cannot be seen', () => {
    const labels = (options: object) => {
      const figure = barFigure({ title: 't', categories: ['a', 'b'], groups: [], y: { title: 'y' }, ...options });
      return figure.data.at(-1) as { text?: string[]; x: number[]; y: number[] };
    };
    const groups = [
      { name: 'paper', values: [130.5, null], published: true },
      { name: 'ours', values: [2, 0], errors: [0.5, null] },
    ];
    const { text, x, y } = labels({ groups });
    assert.deepEqual(text, ['130.5', 'n/a', '2', '0']);
    assert.deepEqual(y, [130.5, 0, 2.5, 0]);
    assert.deepEqual(x, [-0.1875, 0.8125, 0.1875, 1.1875]);
    const many = Array.from({ length: 10 }, (_, i) => ({ name: `g${i}`, values: [i, 1] }));
    assert.deepEqual(labels({ groups: many }).text, ['0']);
    assert.deepEqual(labels({ groups: many, valueLabels: false }).text, undefined);
    const marked = labels({ groups, marks: { name: 'm', values: [[1, null], [2, 3]] }, valueLabels: false }); // prettier-ignore
    assert.deepEqual(marked.text, ['n/a']);
    assert.throws(
      () => labels({ groups, marks: { name: 'm', values: [[1]] } }),
      /expected 2 values in marks of group 0/,
    );
  });

  it('keeps labels inside and off each other', () => {
    const size = { width: 400, height: 300 };
    assert.deepEqual(placeLabels([{ text: 'alone', x: 200, y: 150 }], size), ['top center']);
    assert.match(placeLabels([{ text: 'a long label', x: 398, y: 150 }], size)[0], /left/);
    // Error bars cross what stands above, below and beside a point.
    assert.match(
      placeLabels([{ text: 'barred', x: 200, y: 150, xError: 60, yError: 60 }], size)[0],
      /^(top|bottom) (left|right)$/,
    );
    const [a, b] = placeLabels([{ text: 'first', x: 200, y: 150 }, { text: 'second', x: 204, y: 152 }], size); // prettier-ignore
    assert.notEqual(a, b);
  });

  it('sets names of an axis level where they fit, else turned on one line', () => {
    assert.deepEqual(tickLabels(['SFT', 'two words'], 60), {
      ticktext: ['SFT', 'two<br>words'],
      tickangle: 0,
      extraHeight: 0,
      left: 0,
    });
    const turned = tickLabels(['a rather long name', 'b'], 40);
    assert.deepEqual([turned.ticktext[0], turned.tickangle], ['a rather long name', -40]);
    assert.ok(turned.extraHeight > 40);
    assert.equal(tickLabels(['a rather long name', 'b'], 15).tickangle, -90);
  });

  it('refuses values that would be drawn wrongly', () => {
    assert.throws(() => line([]), /at least one of series/);
    assert.throws(() => line([{ name: 'a', y: [] }]), /expected values in series "a"/);
    assert.throws(() => line([{ name: 'a', y: [1, NaN] }]), /finite number in series "a"\[1\], got NaN/);
    assert.throws(() => line([{ name: 'a', y: [1, 2], x: [1] }]), /expected 2 values in x of series "a", got 1/);
    assert.throws(() => line([{ name: 'a', y: [1] }, { name: 'a', y: [1] }]), /distinct names/); // prettier-ignore
    assert.throws(() => line([{ name: 'a', y: [0] }], { y: { title: 'y', log: true } }), /above 0 on the log axis "y"/);
    assert.throws(() => line([{ name: 'a', y: [1] }], { smoothing: 1 }), /smoothing in \[0, 1\)/);
    assert.throws(() => line([{ name: 'a', y: [1], lower: [0] }]), /both lower and upper/);
    assert.throws(() => line([{ name: 'a', y: [1] }], { x: { title: 'x', range: [2, 1] } }), /range of "x" to rise/);
    const bar = { title: 't', categories: ['a', 'b'], y: axes.y };
    assert.throws(() => barFigure({ ...bar, groups: [{ name: 'g', values: [1] }] }), /expected 2 values in group "g"/);
    const radar = { title: 't', axes: ['a', 'b', 'c'] };
    assert.throws(
      () => radarFigure({ ...radar, axes: ['a', 'b'], series: [{ name: 's', values: [1, 2] }] }),
      /three axes/,
    );
    assert.throws(
      () => radarFigure({ ...radar, series: [{ name: 's', values: [1, 2, 3] }], range: [0, 2] }),
      /the value 3/,
    );
    const heat = { title: 't', columns: ['a'], rows: ['r', 's'], valueTitle: 'v' };
    assert.throws(() => heatmapFigure({ ...heat, values: [[1]] }), /expected 2 values in values \(rows\), got 1/);
    assert.throws(() => heatmapFigure({ ...heat, values: [[1], [1, 2]] }), /row "s"/);
    const log = { title: 't', x: { title: 'x', log: true }, y: axes.y };
    assert.throws(() => scatterFigure({ ...log, points: [{ name: 'p', x: 0, y: 1 }] }), /logarithm of x\[0\]/);
  });
});
