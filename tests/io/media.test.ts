/** Files of pictures, sounds and clips: read as other programs wrote them, written, and refused with a reason. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { FormatError } from '../../lib/errors';
import {
  clipOf,
  decodeGif,
  decodePng,
  decodeWav,
  encodeGif,
  encodePng,
  encodeWav,
  framesOf,
  pixelsOf,
  readAudio,
  readClip,
  readImage,
  resample,
  resizePicture,
  writeGif,
  writePng,
  writeWav,
} from '../../lib/io';
import type { Clip, Picture } from '../../lib/io';
import { Random } from '../../lib/nn/random';
import { root } from '../package/consumer';

const folder = path.join(root, 'tests', 'goldens', 'data', 'media');
const golden = (name: string): Buffer => fs.readFileSync(path.join(folder, name));
const expected = JSON.parse(fs.readFileSync(path.join(folder, 'expected.json'), 'utf8')) as Record<
  string,
  { frames: number; width: number; height: number; pixels: string }
>;

let temporary: string;
const inFolder = (name: string): string => path.join(temporary, name);
before(() => (temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'media-'))));
after(() => fs.rmSync(temporary, { recursive: true }));

/** Greatest difference in grey levels between a clip's frames and the golden pixels. */
function difference({ frames, width, height, data }: Clip, name: string): number {
  const want = expected[name];
  assert.deepEqual([frames, width, height], [want.frames, want.width, want.height], name);
  const pixels = Buffer.from(want.pixels, 'base64');
  let greatest = 0;
  for (let i = 0; i < pixels.length / 3; i++)
    for (let c = 0; c < 3; c++) {
      const [f, at] = [Math.floor(i / (width * height)), i % (width * height)];
      greatest = Math.max(greatest, Math.abs(255 * data[(f * 3 + c) * width * height + at] - pixels[3 * i + c]));
    }
  return greatest;
}

const asClip = (picture: Picture): Clip => ({ ...picture, frames: 1, fps: 1 });

const randomPicture = (width: number, height: number, seed = 1): Picture => ({
  width,
  height,
  data: new Random(seed, 'picture').uniforms(3 * width * height).map((v) => Math.round(v * 255) / 255),
});

/** An error of the format, in two lines, that matches. */
const refuses = (promise: Promise<unknown>, pattern: RegExp): Promise<void> =>
  assert.rejects(promise, (error: Error) => {
    assert.ok(error instanceof FormatError, String(error));
    assert.match(error.message, pattern);
    assert.match(error.message, /\nhelp: ./);
    return true;
  });

describe('media files: pictures', () => {
  it('reads what Pillow writes: every kind of PNG, JPEG and GIF', async () => {
    for (const name of Object.keys(expected)) {
      const picture = name.endsWith('.gif') ? await readClip(golden(name)) : asClip(await readImage(golden(name)));
      // Two decoders of JPEG may round differently; PNG and GIF are exact (the goldens are whole grey levels).
      const most = name.endsWith('.jpg') ? 3.01 : 0.51;
      const found = difference(picture, name);
      assert.ok(found <= most, `${name}: ${found}`);
    }
  });

  it('reads interlaced PNG', () => {
    const { width, height, data } = pixelsOf(randomPicture(11, 9));
    const passes = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]; // prettier-ignore
    const raw: number[] = [];
    for (const [x0, y0, dx, dy] of passes)
      for (let y = y0; y < height; y += dy) {
        if (x0 >= width) break;
        raw.push(0);
        for (let x = x0; x < width; x += dx) raw.push(...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3));
      }
    const chunk = (name: string, body: Buffer): Buffer => {
      const out = Buffer.concat([Buffer.alloc(4), Buffer.from(name, 'latin1'), body, Buffer.alloc(4)]);
      out.writeUInt32BE(body.length, 0);
      out.writeUInt32BE(crc32(out.subarray(4, -4)), out.length - 4);
      return out;
    };
    const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, 2, 0, 0, 1]);
    const file = Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(Buffer.from(raw))),
      chunk('IEND', Buffer.alloc(0)),
    ]);
    assert.deepEqual(pixelsOf(decodePng(file)).data, data);
  });

  it('writes PNG that it reads back, whatever the content, and always the same bytes', async () => {
    for (const [width, height] of [
      [1, 1],
      [32, 32],
      [7, 50],
    ]) {
      const picture = randomPicture(width, height, width);
      await writePng(inFolder('a.png'), picture);
      const back = await readImage(inFolder('a.png'));
      assert.deepEqual(pixelsOf(back).data, pixelsOf(picture).data);
      assert.deepEqual(encodePng(pixelsOf(back)), new Uint8Array(fs.readFileSync(inFolder('a.png'))));
    }
    const flat = { width: 64, height: 64, data: new Float32Array(3 * 64 * 64).fill(0.5) };
    assert.ok(encodePng(pixelsOf(flat), 8).length < 12000, 'runs are packed');
    const large = await readImage(encodePng(pixelsOf(randomPicture(4, 4)), 3));
    assert.deepEqual([large.width, large.height], [12, 12]);
  });

  it('goes by the content, not by the name', async () => {
    fs.writeFileSync(inFolder('photo.png'), golden('baseline.jpg'));
    assert.ok(difference(asClip(await readImage(inFolder('photo.png'))), 'baseline.jpg') <= 3.01);
    fs.writeFileSync(inFolder('text.png'), 'hello');
    await refuses(
      readImage(inFolder('text.png')),
      /text\.png: expected a PNG, JPEG or GIF picture, got a file of another kind/,
    );
    fs.writeFileSync(inFolder('empty.jpg'), '');
    await refuses(readImage(inFolder('empty.jpg')), /got an empty file/);
    await refuses(readImage(inFolder('none.png')), /none\.png: expected a file, got: no such file/);
    await refuses(readImage(temporary), /got a folder/);
    await refuses(readImage(encodeWav(new Float32Array(4), 8000)), /got WAV/);
    await refuses(readImage(Buffer.from('<svg xmlns="x"></svg>')), /got SVG/);
  });

  it('refuses every file that is cut off, and never breaks on a damaged one', async () => {
    for (const name of ['rgb.png', 'palette4.png', 'baseline.jpg', 'progressive.jpg', 'clip.gif']) {
      const file = golden(name);
      for (let n = 3; n < file.length; n += 1 + (file.length >> 6))
        await refuses(readImage(file.subarray(0, n)), /expected/);
      for (let i = 0; i < 150; i++) {
        const copy = Buffer.from(file);
        copy[(i * 7919) % copy.length] ^= 1 << (i % 8);
        const read = readImage(copy);
        // Where a checksum covers everything, nothing slips through.
        if (name.endsWith('.png')) await refuses(read, /expected/);
        else
          await read.catch((error: unknown) => {
            assert.ok(error instanceof FormatError, `${name}: ${String(error)}`);
          });
      }
    }
  });

  it('refuses absurd sizes before it spends memory on them', async () => {
    const bomb = Buffer.from(golden('rgb.png'));
    bomb.writeUInt32BE(100_000, 16);
    bomb.writeUInt32BE(100_000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    await refuses(readImage(bomb), /expected at most 33554432 pixels, got 100000 x 100000/);
    bomb.writeUInt32BE(1000, 16);
    bomb.writeUInt32BE(1000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    await refuses(readImage(bomb), /expected 3001000 bytes of pixels, got/);
    const photo = Buffer.from(golden('baseline.jpg'));
    const sof = photo.indexOf(Buffer.from([0xff, 0xc0]));
    photo.writeUInt16BE(65500, sof + 5);
    photo.writeUInt16BE(65500, sof + 7);
    await refuses(readImage(photo), /at most 33554432 pixels, got 65500 x 65500/);
    await refuses(readImage(golden('rgb.png'), { maxPixels: 100 }), /at most 100 pixels, got 19 x 13/);
    await refuses(readClip(golden('clip.gif'), { maxPixels: 700 }), /at most 700 pixels, got 3 frames of 20 x 15/);
  });

  it('resizes as Pillow does, without skipping pixels', () => {
    // Image.fromarray(float32).resize(..., Image.BILINEAR)
    const row = (values: number[]): Picture => ({
      width: values.length,
      height: 1,
      data: Float32Array.from([...values, ...values, ...values]),
    });
    const near = (got: Float32Array, want: number[]): void =>
      want.forEach((v, i) => assert.ok(Math.abs(got[i] - v) < 1e-6, `${got[i]} ${v}`));
    near(resizePicture(row([0, 0.25, 0.5, 0.75]), 2, 1).data, [0.17857143, 0.5714286]);
    near(resizePicture(row([0, 1]), 4, 1).data, [0, 0.25, 0.75, 1]);
  });
});

describe('media files: clips', () => {
  const clip = clipOf(
    [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
      const grey = new Random(seed).uniforms(256).map((v) => Math.round(v * 15) / 15);
      return { width: 16, height: 16, data: Float32Array.from([...grey, ...grey, ...grey]) };
    }),
    8,
  );

  it('writes GIF that it reads back: time kept, and colours where there are few', async () => {
    await writeGif(inFolder('a.gif'), clip);
    const back = await readClip(inFolder('a.gif'));
    assert.deepEqual([back.frames, back.width, back.height, back.fps], [8, 16, 16, 8]);
    back.data.forEach((v, i) => assert.ok(Math.abs(v - clip.data[i]) < 1e-6));
    assert.deepEqual(encodeGif(clip), new Uint8Array(fs.readFileSync(inFolder('a.gif'))));
    const large = decodeGif(encodeGif(clip, 3));
    assert.deepEqual([large.width, large.height, large.frames], [48, 48, 8]);
  });

  it('keeps colours near where there are many', () => {
    const many = clipOf([randomPicture(64, 64, 3)], 10);
    const back = decodeGif(encodeGif(many));
    const error = many.data.reduce((sum, v, i) => sum + Math.abs(v - back.data[i]), 0) / many.data.length;
    assert.ok(error < 0.05, `mean error ${error}`);
  });

  it('reads a folder of pictures in the order of their numbers', async () => {
    const frames = inFolder('frames');
    fs.mkdirSync(frames);
    for (const [i, picture] of framesOf(clip).entries())
      await writePng(path.join(frames, `frame${i + 5}.png`), picture);
    const back = await readClip(frames, { fps: 4 });
    assert.deepEqual([back.frames, back.fps], [8, 4]);
    back.data.forEach((v, i) => assert.ok(Math.abs(v - clip.data[i]) < 1e-6));
    await writePng(path.join(frames, 'frame99.png'), randomPicture(3, 3));
    await refuses(readClip(frames), /frame99\.png: expected a frame of 16 x 16, got 3 x 3/);
    fs.mkdirSync(inFolder('nothing'));
    await refuses(readClip(inFolder('nothing')), /folder of PNG or JPEG pictures, got none/);
    await refuses(readClip(golden('rgb.png')), /expected an animated GIF, or a folder of pictures, got PNG/);
    await refuses(readClip(Buffer.from('\0\0\0\x18ftypmp42', 'latin1')), /got MP4\nhelp: .*ffmpeg/);
  });
});

describe('media files: sounds', () => {
  const tone = (rate: number, hertz = 440, seconds = 0.25): Float32Array =>
    Float32Array.from(
      { length: Math.round(rate * seconds) },
      (_, i) => 0.8 * Math.sin((2 * Math.PI * hertz * i) / rate),
    );

  /** A WAV made by hand. */
  function wav(
    rate: number,
    channels: Float32Array[],
    bits: number,
    { float = false, extensible = false, junk = false } = {},
  ): Buffer {
    const step = bits / 8;
    const body = Buffer.alloc(channels[0].length * channels.length * step);
    channels[0].forEach((_, i) =>
      channels.forEach((channel, c) => {
        const at = (i * channels.length + c) * step;
        const v = channel[i];
        if (float && bits === 32) body.writeFloatLE(v, at);
        else if (float) body.writeDoubleLE(v, at);
        else if (bits === 8) body[at] = Math.round(v * 127) + 128;
        else body.writeIntLE(Math.round(v * (2 ** (bits - 1) - 1)), at, step);
      }),
    );
    const format = Buffer.alloc(extensible ? 40 : 16);
    const code = float ? 3 : 1;
    format.writeUInt16LE(extensible ? 0xfffe : code, 0);
    format.writeUInt16LE(channels.length, 2);
    format.writeUInt32LE(rate, 4);
    format.writeUInt32LE(rate * channels.length * step, 8);
    format.writeUInt16LE(channels.length * step, 12);
    format.writeUInt16LE(bits, 14);
    if (extensible) format.writeUInt16LE(code, 24);
    const chunk = (name: string, content: Buffer): Buffer => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(content.length);
      return Buffer.concat([Buffer.from(name, 'latin1'), size, content, Buffer.alloc(content.length & 1)]);
    };
    const parts = [chunk('fmt ', format), ...(junk ? [chunk('LIST', Buffer.from('odd'))] : []), chunk('data', body)];
    const riff = chunk('RIFF', Buffer.concat([Buffer.from('WAVE', 'latin1'), ...parts]));
    return riff;
  }

  const near = (got: Float32Array, want: Float32Array, most: number): void => {
    assert.equal(got.length, want.length);
    got.forEach((v, i) => assert.ok(Math.abs(v - want[i]) <= most, `${i}: ${v} ${want[i]}`));
  };

  it('reads every depth, floats, several channels, and chunks that it does not know', () => {
    const samples = tone(8000);
    for (const [bits, most] of [
      [8, 0.01],
      [16, 1e-4],
      [24, 1e-6],
      [32, 1e-7],
    ])
      near(decodeWav(wav(8000, [samples], bits)).samples, samples, most);
    for (const bits of [32, 64]) near(decodeWav(wav(8000, [samples], bits, { float: true })).samples, samples, 1e-7);
    near(decodeWav(wav(8000, [samples], 16, { extensible: true, junk: true })).samples, samples, 1e-4);
    const half = samples.map((v) => v / 2);
    near(decodeWav(wav(8000, [samples, new Float32Array(samples.length)], 24)).samples, half, 1e-6);
  });

  it('writes WAV that it reads back', async () => {
    const sound = { sampleRate: 8000, samples: tone(8000) };
    await writeWav(inFolder('a.wav'), sound);
    const back = await readAudio(inFolder('a.wav'));
    assert.equal(back.sampleRate, 8000);
    near(back.samples, sound.samples, 1e-4);
  });

  it('brings other sample rates to the one asked for, without aliases', async () => {
    for (const rate of [11025, 16000, 22050, 44100, 48000]) {
      const back = await readAudio(wav(rate, [tone(rate)], 24), { sampleRate: 8000 });
      const want = tone(8000);
      assert.ok(Math.abs(back.samples.length - want.length) <= 1 && back.sampleRate === 8000);
      // The ends lack what lies beyond them.
      near(back.samples.subarray(60, 1900), want.subarray(60, 1900), 1e-4);
    }
    near(
      resample({ sampleRate: 8000, samples: tone(8000) }, 22050).samples.subarray(200, 5000),
      tone(22050).subarray(200, 5000),
      1e-4,
    );
    const high = resample({ sampleRate: 44100, samples: tone(44100, 5000) }, 8000).samples.subarray(60, -60);
    assert.ok(Math.max(...high.map(Math.abs)) < 1e-3, 'above the new Nyquist frequency nothing is left');
  });

  it('refuses what is cut off, coded otherwise, empty or damaged', async () => {
    const file = wav(8000, [tone(8000)], 16);
    for (const n of [4, 20, 40, 44, file.length - 1]) await refuses(readAudio(file.subarray(0, n)), /expected .* got/);
    await refuses(
      readAudio(file.subarray(0, 1000)),
      /expected 4000 bytes of chunk "data" \(there are 956\), got the end/,
    );
    const coded = Buffer.from(file);
    coded.writeUInt16LE(0x11, 20);
    await refuses(readAudio(coded), /expected PCM or float samples, got coding 17\nhelp: .*ffmpeg/);
    const fast = Buffer.from(file);
    fast.writeUInt32LE(900_000, 24);
    await refuses(readAudio(fast), /rate from 1000 to 384000 Hz, got 900000 Hz/);
    await refuses(readAudio(wav(8000, [new Float32Array(0)], 16)), /at least one sample/);
    await refuses(readAudio(wav(8000, [new Float32Array(3).fill(NaN)], 32, { float: true })), /finite samples/);
    await refuses(readAudio(Buffer.from('ID3\x03\0\0\0', 'latin1')), /got MP3/);
    await refuses(readAudio(golden('rgb.png')), /expected a WAV sound, got PNG/);
  });
});
