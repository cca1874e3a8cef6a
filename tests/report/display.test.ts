/** Displays: what a notebook gets, what a terminal prints, progress under a clock set by hand. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { decodeGif, encodePng, encodeWav, pngSize } from '../../lib/io';
import {
  formatDuration,
  gridPng,
  liveChart,
  progress,
  showAudio,
  showClip,
  showFigure,
  showHtml,
  showImage,
  showImageGrid,
  showMarkdown,
  showMedium,
  showTable,
} from '../../lib/report';
import { loadCanvas } from '../../lib/report/fonts';
import { fakeStream, inNotebook, inTerminal, samples } from './helpers';

const red = { data: new Uint8Array([255, 0, 0, 0, 255, 0]), width: 2, height: 1 };

describe('progress', () => {
  it('in a log: a line at the start, at each tenth and at the end', () => {
    let at = 0;
    const stream = fakeStream(false);
    const bar = progress({ total: 1000, label: 'train dpo', now: () => at, stream });
    for (let step = 1; step <= 1000; step++) {
      at += 100;
      bar.update(step, { loss: 2 - step / 1000 });
    }
    bar.done();
    bar.done();
    const lines = stream.text.trimEnd().split('\n');
    assert.equal(lines.length, 11);
    assert.equal(lines[0], 'train dpo: 0 %, 0/1000 steps');
    assert.equal(lines[5], 'train dpo: 50 %, 500/1000 steps, 10 steps/s, 0:50 left, loss 1.50');
    assert.equal(lines[10], 'train dpo: 100 %, 1000/1000 steps, 10 steps/s, in 1:40, loss 1');
  });

  it('in a log: slow work says something every half minute', () => {
    let at = 0;
    const stream = fakeStream(false);
    const bar = progress({ total: 1000, label: 'slow', now: () => at, stream });
    for (let step = 1; step <= 9; step++) (bar.update(step, {}), (at += 10_000));
    assert.equal(stream.text.trimEnd().split('\n').length, 1 + 2);
  });

  it('in a notebook: one output that is updated at most five times a second', async () => {
    let at = 0;
    const shown = await inNotebook(() => {
      const bar = progress({ total: 100, label: 'a <b>', unit: 'images', now: () => at });
      for (let step = 1; step <= 100; step++) {
        at += 20;
        bar.update(step, { 'rewards/margins': 0.123456, note: '<x>' });
      }
      bar.done();
    });
    assert.equal(shown.length, 1 + 10 + 1);
    assert.equal(new Set(shown.map((s) => s.options?.displayId)).size, 1);
    assert.deepEqual([...new Set(shown.slice(1).map((s) => s.options?.update))], [true]);
    assert.equal(shown[0].options?.update, false);
    const middle = shown[5].data;
    assert.equal(
      middle['text/plain'],
      'a <b>  ██████████░░░░░░░░░░  50 %  50/100 images, 50 images/s, 1.0 s left, rewards/margins 0.123, note <x>',
    );
    assert.match(String(middle['text/html']), /aria-valuenow="50".*rewards\/margins 0.123 · note &lt;x&gt;/s);
    assert.ok(!String(middle['text/html']).includes('<x>'));
    assert.match(String(shown[11].data['text/plain']), /100 % {2}100\/100 images, 50 images\/s, in 2.0 s/);
  });

  it('says where it failed, and says nothing after that', async () => {
    let at = 0;
    const shown = await inNotebook(() => {
      const bar = progress({ total: 10, label: 'work', now: () => at });
      at = 3000;
      bar.update(4);
      bar.fail(new Error('disk full\nhelp: delete something'));
      bar.update(5);
      bar.done();
    });
    assert.equal(shown.length, 3);
    assert.match(String(shown[2].data['text/plain']), /40 % {2}failed at 4\/10 steps after 3.0 s: disk full$/);
  });

  it('on a terminal: redraws the line, and ends it', async () => {
    let at = 0;
    const stream = fakeStream(true);
    const bar = progress({ total: 10, label: 'work', now: () => at, stream });
    at = 1000;
    bar.update(5, { loss: 1 });
    // The bar draws by a timer of its own, ten times a second.
    await new Promise((resolve) => setTimeout(resolve, 250));
    bar.done();
    assert.match(stream.text, /work {2}█{10}░{10} {2}50 % {2}5\/10 steps, 5 steps\/s, 1.0 s left, loss 1/);
    assert.match(stream.text, /100 % {2}10\/10 steps.*\n/);
  });

  it('resumed work does not count what was done before in its rate', () => {
    let at = 0;
    const stream = fakeStream(false);
    const bar = progress({ total: 100, initial: 60, label: 'r', now: () => at, stream });
    at = 5000;
    bar.update(70);
    bar.done();
    const lines = stream.text.split('\n');
    assert.equal(lines[1], 'r: 70 %, 70/100 steps, 2 steps/s, 0:15 left');
    assert.match(lines[2], /100\/100 steps, 8 steps\/s, in 5.0 s/);
  });

  it('refuses counts that are none, and formats times', () => {
    assert.throws(() => progress({ total: -1, label: 'x' }), /expected total of 0 or more/);
    assert.throws(() => progress({ total: 1, label: 'x', stream: fakeStream(false) }).update(NaN), /the count/);
    assert.deepEqual([0.004, 4, 58, 725, 3723].map(formatDuration), ['0.00 s', '4.0 s', '0:58', '12:05', '1:02:03']);
  });
});

describe('display', function () {
  it('shows a table three ways, and aligned in a terminal', async () => {
    const table = { columns: ['a', 'b'], rows: [['x', 1], ['y', null]] }; // prettier-ignore
    const [{ data }] = await inNotebook(() => showTable(table));
    assert.deepEqual(Object.keys(data).sort(), ['text/html', 'text/markdown', 'text/plain']);
    assert.equal(await inTerminal(() => showTable(table)), 'a    b\n-  ---\nx    1\ny  n/a\n');
    const frame = { columns: ['a'], values: [[1]], shape: [1, 1], print() {} };
    assert.equal(await inTerminal(() => showTable(frame)), 'a\n-\n1\n');
  });

  it('shows a figure interactively with a picture beside it', async () => {
    const [{ data }] = await inNotebook(() => showFigure(samples.bar()));
    assert.deepEqual(Object.keys(data).sort(), [
      'application/vnd.plotly.v1+json',
      'image/png',
      'image/svg+xml',
      'text/plain',
    ]);
    assert.equal(data['text/plain'], 'figure "Perplexity" (2 traces)');
    assert.match(String(data['image/svg+xml']), /^<svg/);
    assert.equal(pngSize(Buffer.from(String(data['image/png']), 'base64')).width, 900);
    const traces = (data['application/vnd.plotly.v1+json'] as { data: { type: string }[] }).data;
    assert.deepEqual(traces.map((t) => t.type), ['bar', 'bar', 'scatter'], 'two groups, and their labels'); // prettier-ignore
  });

  it('says in a terminal where the figure was saved', async () => {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'report-'));
    try {
      const text = await inTerminal(() => showFigure(samples.bar(), { save: { dir, name: 'ppl' } }));
      const file = (ending: string) => path.join(dir, `ppl.${ending}`);
      assert.equal(text, `figure "Perplexity" (2 traces): ${file('png')}, ${file('svg')}, ${file('json')}\n`);
    } finally {
      await rm(dir, { recursive: true });
    }
    assert.equal(await inTerminal(() => showFigure(samples.bar())), 'figure "Perplexity" (2 traces)\n');
  });

  it('writes pixels as they are, and blows them up without blur', async () => {
    const floats = { data: new Float32Array([1, 0, 0, 0, 1, 0]), width: 2, height: 1 };
    assert.deepEqual(encodePng(floats), encodePng(red));
    const rgba = { data: new Uint8Array([255, 0, 0, 255, 0, 255, 0, 255]), width: 2, height: 1 };
    assert.deepEqual(encodePng(rgba), encodePng(red));
    const canvas = loadCanvas('test');
    const image = await canvas.loadImage(encodePng(red, 3));
    const target = canvas.createCanvas(6, 3);
    const context = target.getContext('2d') as unknown as {
      drawImage(i: object, x: number, y: number): void;
      getImageData(x: number, y: number, w: number, h: number): { data: Uint8ClampedArray };
    };
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 1, 6, 1);
    assert.deepEqual([...data], [...Array(3).fill([255, 0, 0, 255]), ...Array(3).fill([0, 255, 0, 255])].flat());
  });

  it('refuses pixels that do not fit', () => {
    assert.throws(
      () => encodePng({ ...red, width: 3 }),
      /expected 9 \(RGB\) or 12 \(RGBA\) values for 3 x 1 pixels, got 6/,
    );
    assert.throws(() => encodePng({ ...red, height: 0 }), /width and height above 0/);
    const bad = { data: new Float32Array([1, 0, 0, 0, -1, 0]), width: 2, height: 1 };
    assert.throws(() => encodePng(bad), /floats in \[0, 1\], got -1 at pixel \(1, 0\), channel 1/);
    assert.throws(() => encodePng({ ...bad, data: new Float32Array(6).fill(NaN) }), /got NaN/);
    assert.throws(() => encodePng({ ...red, data: [1, 2, 3] as never }), /bytes or a Float32Array/);
    assert.throws(() => encodePng(red, 0.5), /scale as a whole number/);
    assert.throws(() => showImage(new Uint8Array(30)), /bytes of a PNG file/);
  });

  it('shows images and grids', async () => {
    const [plain, captioned, grid] = await inNotebook(() => {
      showImage(red);
      showImage(encodePng(red), { caption: 'a "b" <c>' });
      showImageGrid([red, red, red], { columns: 2, scale: 10, captions: ['x', 'y', 'a caption that is too long'] });
    });
    assert.deepEqual(Object.keys(plain.data), ['image/png', 'text/plain']);
    assert.equal(pngSize(Buffer.from(String(plain.data['image/png']), 'base64')).width, 128);
    assert.match(String(captioned.data['text/html']), /alt="a &quot;b&quot; &lt;c&gt;"/);
    assert.equal(captioned.data['text/plain'], 'image 2 x 1: a "b" <c>');
    assert.deepEqual(pngSize(Buffer.from(String(grid.data['image/png']), 'base64')), { width: 64, height: 80 });
    assert.equal(grid.data['text/plain'], '3 images (x; y; a caption that is too long)');
    assert.throws(() => gridPng([]), /at least one image/);
    assert.throws(() => gridPng([red], { captions: [] }), /expected 1 captions, got 0/);
    assert.equal(await inTerminal(() => showImage(red)), 'image 2 x 1\n');
  });

  it('shows clips as animations, and any medium by its kind', async () => {
    const data = new Float32Array(2 * 3 * 4).map((_, i) => (i % 5) / 4);
    const clip = { width: 2, height: 2, frames: 2, fps: 4, data };
    const picture = { width: 2, height: 2, data: data.slice(0, 12) };
    const [shown, first, second, third] = await inNotebook(() => {
      showClip(clip, { caption: 'two <frames>', scale: 3 });
      showMedium({ modality: 'image', picture }, 'a');
      showMedium({ modality: 'audio', sound: { sampleRate: 8000, samples: new Float32Array(80) } });
      showMedium({ modality: 'video', clip });
    });
    const [, encoded] = /<img src="data:image\/gif;base64,([^"]+)"/.exec(String(shown.data['text/html']))!;
    const back = decodeGif(Buffer.from(encoded, 'base64'));
    assert.deepEqual([back.width, back.height, back.frames, back.fps], [6, 6, 2, 4]);
    assert.match(String(shown.data['text/html']), /two &lt;frames&gt;/);
    assert.equal(first.data['text/plain'], 'image 2 x 2: a');
    assert.equal(second.data['text/plain'], 'sound of 0.01 s at 8000 Hz');
    assert.equal(third.data['text/plain'], 'clip of 2 frames, 2 x 2');
  });

  it('shows sound as a player of a true WAV file', async () => {
    const [{ data }] = await inNotebook(() => showAudio(new Float32Array([0, 1, -1, 2]), 8000, 'a tone'));
    assert.equal(data['text/plain'], 'sound of 0.00 s at 8000 Hz: a tone');
    const [, encoded] = /<audio controls src="data:audio\/wav;base64,([^"]+)"/.exec(String(data['text/html']))!;
    const wav = Buffer.from(encoded, 'base64');
    assert.equal(wav.subarray(0, 4).toString() + wav.subarray(8, 16).toString(), 'RIFFWAVEfmt ');
    assert.equal(wav.length, 44 + 8);
    assert.equal(wav.readUInt32LE(4), wav.length - 8);
    assert.deepEqual(
      [wav.readUInt16LE(20), wav.readUInt16LE(22), wav.readUInt32LE(24), wav.readUInt32LE(28)],
      [1, 1, 8000, 16000],
    );
    assert.deepEqual([0, 1, 2, 3].map((i) => wav.readInt16LE(44 + 2 * i)), [0, 32767, -32767, 32767]); // prettier-ignore
    assert.throws(() => encodeWav(new Float32Array([NaN]), 8000), /finite samples, got NaN at 0/);
    assert.throws(() => encodeWav(new Float32Array(0), 8000), /at least one sample/);
    assert.throws(() => encodeWav(new Float32Array(1), 0), /sample rate/);
  });

  it('shows Markdown and HTML', async () => {
    const shown = await inNotebook(() => {
      showMarkdown('# a');
      showHtml('<style>p {}</style><p>a &lt; b</p><p>c</p>');
    });
    assert.deepEqual(shown[0].data, { 'text/markdown': '# a', 'text/plain': '# a' });
    assert.equal(shown[1].data['text/plain'], 'a < b\nc');
  });

  it('redraws a live chart in place, and no more often than asked', async () => {
    let at = 0;
    const shown = await inNotebook(async () => {
      const chart = liveChart({ title: 'Loss', x: { title: 'step' }, y: { title: 'loss' }, now: () => at });
      for (let step = 0; step < 30; step++) {
        chart.add(step, { loss: 3 - step / 10, accuracy: step === 7 ? NaN : step / 30 });
        at += 100;
        // Lets a drawing that has begun end, as an awaited training step does.
        if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      }
      const figure = await chart.finish();
      const { y } = figure.data[1] as { y: (number | null)[] };
      assert.equal(y.length, 30);
      assert.equal(y[7], null);
    });
    assert.equal(new Set(shown.map((s) => s.options?.displayId)).size, 1);
    assert.ok(shown.length >= 2 && shown.length <= 4, `${shown.length} redraws in 3 s`);
    assert.ok(!('text/plain' in shown[0].data), 'the terminal is left to the progress line');
    const last = shown[shown.length - 1].data;
    assert.equal(last['text/plain'], 'figure "Loss" (2 traces), step 29: loss 0.100, accuracy 0.967');
    assert.match(String(last['image/svg+xml']), /^<svg/);
    const text = await inTerminal(async () => {
      const chart = liveChart({ title: 'Loss', x: { title: 'step' }, y: { title: 'loss' } });
      chart.add(1, { loss: 2 });
      await chart.finish();
    });
    assert.equal(text, 'figure "Loss" (1 trace), step 1: loss 2\n');
    assert.throws(
      () => liveChart({ title: 't', x: { title: 'x' }, y: { title: 'y' } }).add(NaN, {}),
      /finite position/,
    );
  });
});
