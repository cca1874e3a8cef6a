/** Static figures: what is in the SVG, that no text leaves the picture, that bytes repeat, and the errors. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ArgumentError } from '../../lib/errors';
import { pngSize } from '../../lib/io';
import { barFigure, plainFigure, renderFigure, renderSvg, saveFigure } from '../../lib/report';
import { loadOptional } from '../../lib/optional';
import { localBox, parseTransform, type ElementLike } from '../../lib/report/text-geometry';
import { loadCanvas } from '../../lib/report/fonts';
import { longName, samples } from './helpers';

interface Jsdom {
  JSDOM: new (html: string, options?: object) => { window: { document: { querySelector(q: string): ElementLike } } };
}

/** Boxes of all non-empty texts of an SVG, in the picture's coordinates. */
function textBoxes(svg: string) {
  const { JSDOM } = loadOptional<Jsdom>('test', 'jsdom');
  const { window } = new JSDOM(svg, { contentType: 'image/svg+xml' });
  const context = loadCanvas('test').createCanvas(4, 4).getContext('2d');
  const found: { text: string; left: number; right: number; top: number; bottom: number }[] = [];
  const visit = (element: ElementLike, chain: ElementLike[]) => {
    if (element.nodeType !== 1 || element.nodeName === 'defs' || element.nodeName === 'clipPath') return;
    const path = [...chain, element];
    if (element.nodeName === 'text' && element.textContent?.trim()) {
      const box = localBox(element, context);
      if (!box) return;
      const corners = [box.left, box.right].flatMap((x) => [box.top, box.bottom].map((y) => [x, y]));
      for (const node of path.slice().reverse()) {
        const [a, b, c, d, e, f] = parseTransform(node.getAttribute('transform'));
        corners.forEach((p) => p.splice(0, 2, a * p[0] + c * p[1] + e, b * p[0] + d * p[1] + f));
      }
      const [xs, ys] = [corners.map((p) => p[0]), corners.map((p) => p[1])];
      found.push({
        text: element.textContent,
        left: Math.min(...xs),
        right: Math.max(...xs),
        top: Math.min(...ys),
        bottom: Math.max(...ys),
      });
    }
    for (const child of Array.from(element.childNodes)) visit(child, path);
  };
  visit(window.document.querySelector('svg'), []);
  return found;
}

const textsOf = (svg: string) => textBoxes(svg).map((box) => box.text);

describe('renderFigure', function () {
  for (const [name, make] of Object.entries(samples)) {
    it(`${name}: no text leaves the picture, and the bytes repeat`, async () => {
      const figure = make();
      const svg = await renderSvg(figure);
      const { width, height } = figure.layout as { width: number; height: number };
      const boxes = textBoxes(svg);
      assert.ok(boxes.length > 5, `only ${boxes.length} texts`);
      for (const box of boxes) {
        const at = JSON.stringify(box);
        assert.ok(box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height, `outside: ${at}`);
      }
      // Another figure between the two must not change ids.
      await renderSvg(samples[name === 'bar' ? 'line' : 'bar']());
      assert.equal(await renderSvg(make()), svg);
    });
  }

  it('draws each series, label and title', async () => {
    const bar = await renderSvg(samples.bar());
    for (const text of ['Perplexity', 'SFT', 'DPO', 'paper', 'ours', '1.92', 'n/a']) {
      assert.ok(textsOf(bar).includes(text), `"${text}" is not in ${textsOf(bar).join(', ')}`);
    }
    assert.equal(bar.match(/class="point"/g)?.length, 4);
    assert.match(bar, /<pattern/);
    const line = await renderSvg(samples.line());
    assert.equal(line.match(/class="trace scatter/g)?.length, 6, 'two raw lines, a band of two, two curves');
    assert.ok(textsOf(line).some((text) => text.startsWith('A method with a really')));
    assert.ok(!line.includes("url('#") && !line.includes('url(&quot;'));
    assert.match(await renderSvg(samples.heatmap()), /<image [^>]*data:image\/png/);
    assert.match(await renderSvg(samples.scatter()), /Pareto front/);
  });

  it('shows every name of a crowded axis, inside the picture', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `a long category ${i}`);
    const values = names.map((_, i) => i + 1);
    const figure = barFigure({ title: 't', categories: names, groups: [{ name: 'g', values }], y: { title: 'y' } });
    const boxes = textBoxes(await renderSvg(figure));
    for (const name of names) {
      const box = boxes.find(({ text }) => text === name);
      assert.ok(box && box.left >= 0, `${name}: ${JSON.stringify(box)}`);
      assert.ok(box.bottom <= (figure.layout as { height: number }).height);
    }
  });

  it('puts bar heights in proportion to the values', async () => {
    const svg = await renderSvg(samples.bar());
    const heights = [...svg.matchAll(/class="point"><path [^>]*d="M[\d.]+,([\d.]+)V([\d.]+)/g)].map(
      (m) => Number(m[1]) - Number(m[2]),
    );
    const [paper, absent, ours, ours2] = heights;
    assert.equal(absent, 0);
    assert.equal((ours / paper).toFixed(2), (2.5 / 1.92).toFixed(2));
    assert.equal((ours2 / ours).toFixed(2), (2.25 / 2.5).toFixed(2));
  });

  it('gives a PNG of the size asked for, the same twice', async () => {
    const first = await renderFigure(samples.radar(), { width: 400, height: 300, scale: 1.5 });
    const second = await renderFigure(samples.radar(), { width: 400, height: 300, scale: 1.5 });
    assert.deepEqual(pngSize(first.png), { width: 600, height: 450 });
    assert.deepEqual(first.png, second.png);
    assert.match(first.svg, /width="400" height="300"/);
  });

  it('draws two figures that are asked for at once as if one after the other', async () => {
    const [a, b] = await Promise.all([renderSvg(samples.line()), renderSvg(samples.radar())]);
    assert.equal(a, await renderSvg(samples.line()));
    assert.equal(b, await renderSvg(samples.radar()));
  });

  it('refuses what needs a browser, and what is no figure', async () => {
    await assert.rejects(renderSvg({ data: [{ type: 'bar' }, { type: 'scatter3d' }] }), (error: Error) => {
      assert.ok(error instanceof ArgumentError);
      assert.match(error.message, /data\[1\] of type "scatter3d"/);
      return true;
    });
    await assert.rejects(renderSvg({ data: [{ type: 'scattergl' }] }), /use a flat type such as "scatter"/);
    await assert.rejects(renderSvg({} as never), /expected a figure \{data/);
    await assert.rejects(renderSvg({ data: [null as never] }), /expected data\[0\] to be a trace object/);
    await assert.rejects(renderSvg({ data: [] }, { width: NaN }), /expected width between/);
    await assert.rejects(renderFigure({ data: [] }, { scale: 100 }), /expected scale between/);
    await assert.rejects(renderSvg({ data: [{ y: [1n] }] }), /written as JSON/);
  });

  it('turns typed arrays into arrays and NaN into gaps', () => {
    const plain = plainFigure({ data: [{ y: Float32Array.of(1, NaN, 0.5) }] });
    assert.deepEqual(plain, { data: [{ y: [1, null, 0.5] }], layout: {} });
  });

  it('saves svg, png and json, and leaves nothing else', async () => {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'report-'));
    try {
      const saved = await saveFigure(path.join(dir, 'deep', 'er'), 'fig.1', samples.bar(), { scale: 1 });
      assert.deepEqual((await readdir(path.join(dir, 'deep', 'er'))).sort(), ['fig.1.json', 'fig.1.png', 'fig.1.svg']);
      assert.deepEqual(JSON.parse(await readFile(saved.json, 'utf8')), plainFigure(samples.bar()));
      assert.equal(pngSize(await readFile(saved.png)).width, 900);
      await assert.rejects(saveFigure(dir, '../x', samples.bar()), /plain file name/);
      // A figure that fails leaves the old files as they were.
      const before = await readFile(saved.svg, 'utf8');
      await assert.rejects(saveFigure(path.dirname(saved.svg), 'fig.1', { data: [{ type: 'surface' }] }));
      assert.equal(await readFile(saved.svg, 'utf8'), before);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('lets the process end, leaves its globals alone, and is cheap to import', () => {
    const index = require.resolve('../../lib/report');
    const program = `
      const before = Object.getOwnPropertyNames(globalThis).join();
      const report = require(${JSON.stringify(index)});
      const loaded = Object.keys(require.cache).filter((f) => /node_modules/.test(f));
      const fig = report.barFigure({title: 't', categories: ['a'], groups: [{name: 'g', values: [1]}], y: {title: 'y'}});
      report.renderFigure(fig).then(({ svg }) => console.log(JSON.stringify({ loaded, svg: svg.length,
        same: Object.getOwnPropertyNames(globalThis).join() === before })));`;
    // No font of this machine is to be found by this process.
    const env = { ...process.env, FONTCONFIG_FILE: '/dev/null', FONTCONFIG_PATH: '/nonexistent' };
    const out = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 300_000, env });
    const { loaded, svg, same } = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual(loaded, []);
    assert.ok(Number(svg) > 1000);
    assert.equal(same, true);
  });

  it('names the missing package', () => {
    assert.throws(
      () => loadOptional('here', 'no-such-package-xyz'),
      /"no-such-package-xyz" is not installed\nhelp: run: npm install/,
    );
  });

  it('keeps pseudo-HTML of names literal', async () => {
    const svg = await renderSvg(samples.heatmap());
    const text = textsOf(svg).join(' ').replace(/\s+/g, ' ');
    assert.match(text, /& ?<odd>/);
    assert.ok(longName.includes('<odd>'));
  });
});
