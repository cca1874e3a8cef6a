/**
 * GIF, read (CompuServe, "GIF89a specification", 1990): all frames, as they are shown: laid over one another by their
 * disposal methods, on white where nothing is.
 */
import { FormatError } from '../errors';
import { checkPixels, cutOff } from './limits';
import type { ReadLimits } from './limits';
import type { Clip } from './media';

const damaged = (where: string, expected: string, got: string): FormatError =>
  new FormatError(where, `expected ${expected}, got ${got}`, 'the file is damaged; save or copy it again');

/** Reads bytes one after the other; the end of the file is an error. */
class Bytes {
  private at = 0;

  constructor(
    private readonly where: string,
    private readonly file: Uint8Array,
  ) {}

  take(n: number, what: string): Uint8Array {
    if (this.at + n > this.file.length) throw cutOff(this.where, what);
    return this.file.subarray(this.at, (this.at += n));
  }

  byte(what: string): number {
    return this.take(1, what)[0];
  }

  /** Sub-blocks up to the empty one, as one piece. */
  blocks(what: string): Buffer {
    const parts: Uint8Array[] = [];
    for (let n = this.byte(what); n; n = this.byte(what)) parts.push(this.take(n, what));
    return Buffer.concat(parts);
  }
}

const word = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8);

/** Unpacks `count` colour numbers (Welch's variant of Lempel & Ziv, with growing code sizes). */
function unpack(where: string, least: number, data: Uint8Array, count: number): Uint8Array {
  if (least < 1 || least > 11) throw damaged(where, 'a code size from 1 to 11', String(least));
  const [clear, end] = [1 << least, (1 << least) + 1];
  const prefix = new Uint16Array(4096);
  const suffix = new Uint8Array(4096);
  for (let i = 0; i < clear; i++) suffix[i] = i;
  const stack = new Uint8Array(4097);
  const out = new Uint8Array(count);
  let [size, next, last, first, made] = [least + 1, end + 1, -1, 0, 0];
  for (let bit = 0; made < count;) {
    if (bit + size > data.length * 8) throw cutOff(where, `${count} pixels of a frame (there are ${made})`);
    let code = 0;
    for (let i = 0; i < size; i++, bit++) code |= ((data[bit >> 3] >> (bit & 7)) & 1) << i;
    if (code === clear) {
      [size, next, last] = [least + 1, end + 1, -1];
      continue;
    }
    if (code === end) throw damaged(where, `${count} pixels of a frame`, String(made));
    if (code > next || (last < 0 && code > clear)) throw damaged(where, `a code below ${next + 1}`, String(code));
    // A code that is about to be made stands for the last one, and its first colour once more.
    let depth = 0;
    let from = code;
    if (code === next) {
      stack[depth++] = first;
      from = last;
    }
    while (from > end) {
      stack[depth++] = suffix[from];
      from = prefix[from];
    }
    first = suffix[from];
    stack[depth++] = first;
    while (depth && made < count) out[made++] = stack[--depth];
    if (last >= 0 && next < 4096) {
      prefix[next] = last;
      suffix[next++] = first;
      if (next === 1 << size && size < 12) size++;
    }
    last = code;
  }
  return out;
}

/** Order of the rows of an interlaced frame. */
function interlacedRows(height: number): number[] {
  const rows: number[] = [];
  for (const [start, step] of [[0, 8], [4, 8], [2, 4], [1, 2]]) for (let y = start; y < height; y += step) rows.push(y); // prettier-ignore
  return rows;
}

interface Control {
  /** Hundredths of a second. */
  delay: number;
  transparent: number;
  disposal: number;
}

/**
 * Reads a GIF's bytes. A picture that does not move is a clip of one frame. Frames a second are the mean's; a delay below
 * 0.02 s counts as 0.1 s, as browsers have it.
 * @throws FormatError for what is damaged, cut off or too large
 */
export function decodeGif(bytes: Uint8Array, where = 'GIF', { maxPixels }: ReadLimits = {}): Clip {
  const input = new Bytes(where, bytes);
  const head = input.take(13, 'the header of a GIF');
  const [width, height] = [word(head, 6), word(head, 8)];
  checkPixels(where, width, height, 1, maxPixels);
  const tableAt = (flags: number): Uint8Array | undefined =>
    flags & 0x80 ? input.take(3 << ((flags & 7) + 1), 'a colour table') : undefined;
  const shared = tableAt(head[10]);
  const screen = new Float32Array(3 * width * height).fill(1);
  const frames: Float32Array[] = [];
  let time = 0;
  let control: Control = { delay: 10, transparent: -1, disposal: 0 };
  for (;;) {
    const kind = input.byte('the end marker of the GIF');
    if (kind === 0x3b) break;
    if (kind === 0x21) {
      const label = input.byte('an extension');
      const body = input.blocks('an extension');
      if (label === 0xf9 && body.length >= 4)
        control = {
          delay: word(body, 1),
          transparent: body[0] & 1 ? body[3] : -1,
          disposal: (body[0] >> 2) & 7,
        };
      continue;
    }
    if (kind !== 0x2c) throw damaged(where, 'a frame, an extension or the end', `byte ${kind}`);
    const box = input.take(9, 'a frame');
    const [left, top, w, h, flags] = [word(box, 0), word(box, 2), word(box, 4), word(box, 6), box[8]];
    if (!w || !h || left + w > width || top + h > height)
      throw damaged(where, `a frame within ${width} x ${height}`, `${w} x ${h} at ${left}, ${top}`);
    checkPixels(where, width, height, frames.length + 1, maxPixels);
    const table = tableAt(flags) ?? shared;
    if (!table) throw damaged(where, 'a colour table', 'none');
    const least = input.byte('a frame');
    const colours = unpack(where, least, input.blocks('a frame'), w * h);
    const before = control.disposal === 3 ? screen.slice() : undefined;
    const rows = flags & 0x40 ? interlacedRows(h) : undefined;
    for (let j = 0; j < h; j++)
      for (let i = 0; i < w; i++) {
        const colour = colours[j * w + i];
        if (colour === control.transparent) continue;
        if (3 * colour + 2 >= table.length) throw damaged(where, `colours below ${table.length / 3}`, String(colour));
        const to = (top + (rows ? rows[j] : j)) * width + left + i;
        for (let c = 0; c < 3; c++) screen[c * width * height + to] = table[3 * colour + c] / 255;
      }
    frames.push(screen.slice());
    time += control.delay < 2 ? 10 : control.delay;
    if (before) screen.set(before);
    else if (control.disposal === 2)
      for (let c = 0; c < 3; c++)
        for (let j = top; j < top + h; j++)
          screen.fill(1, (c * height + j) * width + left, (c * height + j) * width + left + w);
    control = { delay: 10, transparent: -1, disposal: 0 };
  }
  if (!frames.length) throw damaged(where, 'at least one frame', 'none');
  const data = new Float32Array(frames.length * screen.length);
  frames.forEach((frame, f) => data.set(frame, f * screen.length));
  return { width, height, frames: frames.length, fps: (100 * frames.length) / time, data };
}
