/** Galleries: what is in the page, and what is not when it would be too much. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { readClip, readImage, writeGif, writePng, writeWav } from '../../lib/io';
import type { Medium } from '../../lib/io';
import { galleryBundle, showGallery } from '../../lib/report';
import { inNotebook, inTerminal } from './helpers';

const picture = { width: 2, height: 2, data: Float32Array.from([1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 1]) };
const image: Medium = { modality: 'image', picture };
const audio: Medium = { modality: 'audio', sound: { sampleRate: 8000, samples: new Float32Array(800) } };
const video: Medium = {
  modality: 'video',
  clip: { width: 2, height: 2, frames: 3, fps: 8, data: new Float32Array(36) },
};

const sources = (html: string, mime: string): Buffer[] =>
  [...html.matchAll(new RegExp(`src="data:${mime};base64,([^"]*)"`, 'g'))].map((m) => Buffer.from(m[1], 'base64'));

describe('gallery', () => {
  let dir = '';
  before(() => (dir = fs.mkdtempSync(path.join(os.tmpdir(), 'gallery-'))));
  after(() => fs.rmSync(dir, { recursive: true, force: true }));

  it('puts a picture, a sound and a clip into one output, each as what a browser plays', async () => {
    const media = [
      { medium: image, caption: 'a <b>' },
      { medium: audio, caption: 'a tone' },
      { medium: video, caption: 'darkness' },
    ];
    const [{ data }, ...others] = await inNotebook(() => showGallery(media, { title: 'Three', width: 64 }));
    assert.equal(others.length, 0);
    const html = String(data['text/html']);
    assert.deepEqual(await readImage(sources(html, 'image/png')[0]), picture);
    assert.equal(sources(html, 'image/gif')[0].subarray(0, 6).toString('latin1'), 'GIF89a');
    assert.equal(sources(html, 'audio/wav')[0].length, 44 + 1600);
    assert.match(html, /<audio controls/);
    assert.match(html, /width:64px;image-rendering:pixelated/);
    assert.match(html, /a &lt;b&gt;/);
    assert.ok(!html.includes('<b>'));
  });

  it('shows files, and says what there is in a terminal', async () => {
    await writePng(path.join(dir, '0.png'), picture);
    await writeWav(path.join(dir, '1.wav'), { sampleRate: 8000, samples: new Float32Array(10) });
    const rows = [
      { label: 'step 0', items: [{ file: path.join(dir, '0.png'), caption: 'red' }] },
      { label: 'step 5', items: [{ file: path.join(dir, '1.wav') }] },
    ];
    assert.equal(
      await inTerminal(() => showGallery(rows, { title: 'Samples' })),
      'Samples\nstep 0: picture: red (0.png)\nstep 5: sound (1.wav)\n',
    );
    const [{ data }] = await inNotebook(() => showGallery(rows));
    assert.deepEqual(sources(String(data['text/html']), 'image/png')[0], fs.readFileSync(path.join(dir, '0.png')));
    assert.match(String(data['text/html']), /step 0.*step 5/s);
  });

  it('leaves out what is too much, but not its caption', async () => {
    const items = Array.from({ length: 40 }, (_, i) => ({ medium: audio, caption: `sound ${i}.` }));
    const bundle = await galleryBundle([{ items }], { maxBytes: 5 * 1644 + 1000 });
    const html = String(bundle['text/html']);
    assert.equal(sources(html, 'audio/wav').length, 5);
    assert.equal(html.match(/left out/g)?.length, 35);
    for (let i = 0; i < 40; i++) assert.ok(html.includes(`sound ${i}.`));
    assert.ok(html.length < 40_000, `${html.length}`);
  });

  it('leaves out of the first row before the last', async () => {
    const rows = [1, 2, 3].map((step) => ({ label: `step ${step}`, items: [{ medium: audio }] }));
    const html = String((await galleryBundle(rows, { maxBytes: 2 * 1644 }))['text/html']);
    assert.match(html, /step 1.*left out.*step 2.*audio\/wav.*step 3.*audio\/wav/s);
  });

  it('shows an enlarged clip by its own pixels', async () => {
    const data = Float32Array.from({ length: 3 * 3 * 4 * 4 }, (_, i) => ((i * 7) % 11) / 10);
    const clip = { width: 4, height: 4, frames: 3, fps: 8, data };
    const sourceOf = async (file: string) =>
      sources(String((await galleryBundle([{ items: [{ file }] }]))['text/html']), 'image/gif')[0];
    await writeGif(path.join(dir, 'large.gif'), clip, { scale: 4 });
    await writeGif(path.join(dir, 'plain.gif'), clip);
    const [large, plain] = [await sourceOf(path.join(dir, 'large.gif')), fs.readFileSync(path.join(dir, 'plain.gif'))];
    assert.deepEqual(await readClip(large), await readClip(plain));
    assert.deepEqual(await readClip(await sourceOf(path.join(dir, 'plain.gif'))), await readClip(plain));
  });

  it('names files that are none', async () => {
    const of = (file: string) => galleryBundle([{ items: [{ file: path.join(dir, file) }] }]);
    await assert.rejects(of('note.txt'), /gallery: expected a file that ends with .png.*got "note.txt"/);
    await assert.rejects(of('lost.png'), /lost.png: expected a file that can be read/);
  });
});
