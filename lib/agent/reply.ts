/** What an agent answers: text, thoughts, plan, calls and media, and ways to save the media. */
import * as path from 'node:path';
import { ArgumentError } from '../errors';
import { writeGif, writePng, writeWav } from '../io/media-files';
import type { Clip, Medium, Picture, Sound } from '../io/media';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import type { ToolCall } from './executor';
import type { ChatMessage } from './model';
import type { PlanResult } from './planner';

export interface ReplyParts {
  text: string;
  thoughts: string[];
  plan: PlanResult | null;
  toolCalls: ToolCall[];
  media: Medium[];
  incomplete: Modality[];
  warnings: string[];
  messages: ChatMessage[];
}

/** File endings by modality. */
const ENDINGS: Record<Modality, string> = { image: '.png', audio: '.wav', video: '.gif' };
const NAMES: Record<Modality, [one: string, ask: string, method: string]> = {
  image: ['image', 'a picture', 'saveImage'],
  audio: ['audio', 'a sound', 'saveAudio'],
  video: ['video', 'a clip', 'saveVideo'],
};

/** Whether JSON can be made of a value: a tool of the user's may return anything, rings and functions too. */
function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

export class Reply implements ReplyParts {
  /** The answer, without thoughts, plans, calls and signal tokens. */
  readonly text: string;
  /** What the model said to itself, in order. */
  readonly thoughts: string[];
  /** The steps that it planned, and what became of each; null if it made no plan. */
  readonly plan: PlanResult | null;
  /** Its tool calls with their results, in order. */
  readonly toolCalls: ToolCall[];
  /** What it made, in order. */
  readonly media: Medium[];
  readonly images: Picture[];
  readonly audios: Sound[];
  readonly videos: Clip[];
  /** Modalities that it began to emit, but not with a whole block of signal tokens. */
  readonly incomplete: Modality[];
  /** What went wrong on the way, in words. */
  readonly warnings: string[];
  /** The conversation with this exchange: every turn of the model and of the tools. */
  readonly messages: ChatMessage[];

  constructor(parts: ReplyParts) {
    this.text = parts.text;
    this.thoughts = parts.thoughts;
    this.plan = parts.plan;
    this.toolCalls = parts.toolCalls;
    this.media = parts.media;
    this.incomplete = parts.incomplete;
    this.warnings = parts.warnings;
    this.messages = parts.messages;
    this.images = parts.media.flatMap((m) => (m.modality === 'image' ? [m.picture] : []));
    this.audios = parts.media.flatMap((m) => (m.modality === 'audio' ? [m.sound] : []));
    this.videos = parts.media.flatMap((m) => (m.modality === 'video' ? [m.clip] : []));
  }

  /** Writes picture `index` as PNG. @throws ArgumentError where there is none */
  async saveImage(file: string, index = 0): Promise<void> {
    await writePng(this.checked('image', file, index), this.images[index]);
  }

  /** Writes sound `index` as WAV. @throws ArgumentError where there is none */
  async saveAudio(file: string, index = 0): Promise<void> {
    await writeWav(this.checked('audio', file, index), this.audios[index]);
  }

  /** Writes clip `index` as animated GIF. @throws ArgumentError where there is none */
  async saveVideo(file: string, index = 0): Promise<void> {
    await writeGif(this.checked('video', file, index), this.videos[index]);
  }

  /** Writes all media into a folder, as image-1.png, audio-1.wav, video-1.gif, ...; returns the paths, in order. */
  async saveAll(folder: string, prefix = ''): Promise<string[]> {
    const files: string[] = [];
    const counts: Record<Modality, number> = { image: 0, audio: 0, video: 0 };
    for (const { modality } of this.media) {
      const index = counts[modality]++;
      const file = path.join(folder, `${prefix}${modality}-${index + 1}${ENDINGS[modality]}`);
      if (modality === 'image') await this.saveImage(file, index);
      else if (modality === 'audio') await this.saveAudio(file, index);
      else await this.saveVideo(file, index);
      files.push(file);
    }
    return files;
  }

  private checked(modality: Modality, file: string, index: number): string {
    const [one, ask, method] = NAMES[modality];
    const count = this.media.filter((m) => m.modality === modality).length;
    const where = `reply.${method}`;
    if (count === 0) {
      const made = MODALITIES.filter((m) => this.media.some((medium) => medium.modality === m));
      throw new ArgumentError(
        where,
        `expected a reply with ${one}, got one with ${made.length ? made.join(' and ') : 'text only'}`,
        this.incomplete.includes(modality)
          ? `the model began one, but its block of signal tokens was not whole: try another seed`
          : `ask for ${ask}; reply.warnings says what went wrong on the way`,
      );
    }
    if (!(Number.isInteger(index) && index >= 0 && index < count))
      throw new ArgumentError(where, `expected an index from 0 to ${count - 1}, got ${index}`, 'count from 0');
    if (path.extname(file).toLowerCase() !== ENDINGS[modality])
      throw new ArgumentError(
        where,
        `expected a file name that ends in ${ENDINGS[modality]}, got "${path.basename(file)}"`,
        `${one} is written as ${ENDINGS[modality].slice(1).toUpperCase()}`,
      );
    return file;
  }

  /** What a program needs of it: media as their kinds and sizes, without their data; values of tools if JSON has them. */
  toJSON(): object {
    const { text, thoughts, plan, incomplete, warnings } = this;
    const toolCalls = this.toolCalls.map(({ value, ...call }) => (isJson(value) ? { ...call, value } : call));
    const media = this.media.map((m) =>
      m.modality === 'image'
        ? { modality: m.modality, width: m.picture.width, height: m.picture.height }
        : m.modality === 'audio'
          ? { modality: m.modality, sampleRate: m.sound.sampleRate, samples: m.sound.samples.length }
          : {
              modality: m.modality,
              width: m.clip.width,
              height: m.clip.height,
              frames: m.clip.frames,
              fps: m.clip.fps,
            },
    );
    return { text, thoughts, plan, toolCalls, media, incomplete, warnings };
  }
}
