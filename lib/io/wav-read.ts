/**
 * WAV, read (Microsoft & IBM, "Multimedia programming interface", 1991, and WAVE_FORMAT_EXTENSIBLE): PCM of 8, 16, 24 and
 * 32 bits, floats of 32 and 64; any rate; channels are averaged.
 */
import { FormatError } from '../errors';
import { cutOff } from './limits';
import type { Sound } from './media';

/** A sound of more samples than this is refused: 10 minutes at 48 kHz. */
const MAX_SAMPLES = 10 * 60 * 48_000;

interface Format {
  float: boolean;
  bits: number;
  channels: number;
  sampleRate: number;
}

const refused = (where: string, expected: string, got: string, help: string): FormatError =>
  new FormatError(where, `expected ${expected}, got ${got}`, help);

const CONVERT = 'convert it first, for instance: ffmpeg -i in -c:a pcm_s16le out.wav';

function readFormat(where: string, body: Buffer): Format {
  if (body.length < 16) throw cutOff(where, 'a format chunk of 16 bytes');
  let code = body.readUInt16LE(0);
  // The extensible form has the real code in the first bytes of its GUID.
  if (code === 0xfffe && body.length >= 26) code = body.readUInt16LE(24);
  const [channels, sampleRate, frame, bits] = [
    body.readUInt16LE(2),
    body.readUInt32LE(4),
    body.readUInt16LE(12),
    body.readUInt16LE(14),
  ];
  if (code !== 1 && code !== 3) throw refused(where, 'PCM or float samples', `coding ${code}`, CONVERT);
  if (!(code === 1 ? [8, 16, 24, 32] : [32, 64]).includes(bits))
    throw refused(where, code === 1 ? '8, 16, 24 or 32 bits' : '32 or 64 bits', `${bits} bits`, CONVERT);
  if (channels < 1 || channels > 64) throw refused(where, '1 to 64 channels', String(channels), CONVERT);
  if (sampleRate < 1000 || sampleRate > 384_000)
    throw refused(where, 'a sample rate from 1000 to 384000 Hz', `${sampleRate} Hz`, CONVERT);
  if (frame !== (channels * bits) / 8)
    throw refused(where, `${(channels * bits) / 8} bytes a frame`, String(frame), 'the header is damaged');
  return { float: code === 3, bits, channels, sampleRate };
}

/** Reads one sample, scaled to -1 to 1. */
function reader(body: Buffer, { float, bits }: Format): (at: number) => number {
  if (float) return bits === 32 ? (at) => body.readFloatLE(at) : (at) => body.readDoubleLE(at);
  // Eight bits alone have no sign.
  if (bits === 8) return (at) => (body[at] - 128) / 128;
  const top = 2 ** (bits - 1);
  return (at) => body.readIntLE(at, bits / 8) / top;
}

/** Reads a WAV's bytes as mono at its own rate. @throws FormatError for what is damaged, cut off, too long or coded otherwise */
export function decodeWav(bytes: Uint8Array, where = 'WAV'): Sound {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 12) throw cutOff(where, 'the header of a WAV file');
  let format: Format | undefined;
  for (let at = 12; ;) {
    if (at + 8 > file.length) throw cutOff(where, format ? 'the chunk "data"' : 'the chunk "fmt "');
    const name = file.toString('latin1', at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const rest = file.subarray(at + 8);
    // Programs that write into a pipe cannot know the size, and say so with all ones.
    const length = name === 'data' && size === 0xffffffff ? rest.length : size;
    if (length > rest.length)
      throw cutOff(where, `${length} bytes of chunk ${JSON.stringify(name)} (there are ${rest.length})`);
    const body = rest.subarray(0, length);
    if (name === 'fmt ') format = readFormat(where, body);
    if (name === 'data') {
      if (!format) throw refused(where, 'the chunk "fmt " before "data"', 'none', 'the file is damaged');
      return mono(where, body, format);
    }
    at += 8 + length + (length & 1);
  }
}

function mono(where: string, body: Buffer, format: Format): Sound {
  const { channels, bits, sampleRate } = format;
  const step = bits / 8;
  const frames = Math.floor(body.length / (step * channels));
  if (!frames) throw refused(where, 'at least one sample', 'none', 'the recording is empty');
  if (frames > MAX_SAMPLES)
    throw refused(where, `at most ${MAX_SAMPLES} samples`, String(frames), 'cut the part that matters out first');
  const read = reader(body, format);
  const samples = new Float32Array(frames);
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read((i * channels + c) * step);
    const value = sum / channels;
    if (!Number.isFinite(value)) throw refused(where, 'finite samples', `${value} at ${i}`, 'the file is damaged');
    // Floats may go beyond full scale; everything after this counts on it.
    samples[i] = Math.max(-1, Math.min(1, value));
  }
  return { sampleRate, samples };
}
