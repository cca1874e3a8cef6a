/**
 * Media from captions, or from states that stand for captions (an output projector's), by latent diffusion: noise, the
 * sampler's steps with guidance, the autoencoder's decoder. Each row draws its noise from a random stream of its own, so that
 * what it gets depends on neither the batch nor the order of rows.
 */
import { ArgumentError, NonFiniteError, ShapeError } from '../../errors';
import { sameShape, showShape, sizeOf } from '../../graph/shape';
import { tensor } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';
import type { Medium } from '../../io/media';
import { captionTensor } from '../../models/caption-tokens';
import { denoise, encodeCaptions } from '../../models/decoder';
import type { Decoder, DecoderConfig, DecoderParams } from '../../models/decoder';
import { Random } from '../../nn/random';
import { cancellable, checkCancelled } from '../../runtime/cancel';
import { jit } from '../../runtime/jit';
import { ddim } from './ddim';
import { dpmSolver } from './dpm-solver';
import { checkGuidance, withGuidance } from './guidance';
import { mediaHead } from './media-heads';
import type { DecodingParams } from './media-heads';
import type { Sampler } from './sampler';

export interface GenerateMediaOptions {
  /** Captions; or `promptEmbeds`, token states [B, L, D] in their place. */
  prompts?: readonly string[];
  promptEmbeds?: Tensor;
  /** 1: no guidance. Defaults of this and the next two: the decoder's own. */
  guidanceScale?: number;
  steps?: number;
  sampler?: 'ddim' | 'dpm-solver++';
  /** DDIM's, 0 to 1. Default 0. */
  eta?: number;
  /** The noise to begin with, [B, ...latentShape], in place of drawn noise. */
  latents?: Tensor;
  /** Default 0. */
  seed?: number;
  /** Names of the rows' random streams; default: their indices. */
  streams?: readonly (string | number)[];
  /** Rows computed together. Default 16. */
  maxBatch?: number;
  /** Called after each step of each batch: steps done of all, and rows from `firstRow` on. */
  onStep?: (event: { step: number; steps: number; firstRow: number; rows: number }) => void;
  /** Aborting it ends the generation with CancelledError before the next step. */
  signal?: AbortSignal;
  device?: string;
}

/**
 * One medium a row, in order. Throws ArgumentError and ShapeError for options that cannot be used, NonFiniteError where the
 * model gives NaN, CancelledError, DeviceError.
 */
export async function generateMedia(decoder: Decoder, options: GenerateMediaOptions): Promise<Medium[]> {
  const { signal } = options;
  return signal ? cancellable(signal, () => generateAll(decoder, options)) : generateAll(decoder, options);
}

async function generateAll(decoder: Decoder, options: GenerateMediaOptions): Promise<Medium[]> {
  const { config } = decoder;
  const { maxBatch = 16, streams, seed = 0, guidanceScale = config.sampling.guidanceScale } = options;
  checkGuidance('generateMedia', guidanceScale);
  if (!Number.isInteger(maxBatch) || maxBatch < 1)
    throw new ArgumentError('generateMedia', `expected a positive maxBatch, got ${maxBatch}`, 'leave it out');
  const programs = programsFor(config, options.device);
  const empty = await encode(decoder, programs, ['']);
  const contexts = await promptStates(decoder, programs, options);
  const rowSize = empty.length;
  const rows = contexts.length / rowSize;
  if (streams && streams.length !== rows)
    throw new ArgumentError(
      'generateMedia',
      `expected a stream name for each of ${rows} rows, got ${streams.length}`,
      'leave streams out to name the rows by their indices',
    );
  const start = await givenLatents(config, options.latents, rows);
  const size = sizeOf(config.latentShape);
  const random = new Random(seed, 'generate-media');
  const out: Medium[] = [];
  for (let first = 0; first < rows; first += maxBatch) {
    const count = Math.min(maxBatch, rows - first);
    const batch = {
      first,
      contexts: contexts.subarray(first * rowSize, (first + count) * rowSize),
      randoms: Array.from({ length: count }, (_, i) => random.stream(streams?.[first + i] ?? first + i)),
      latents: start?.subarray(first * size, (first + count) * size),
    };
    out.push(...(await generateBatch(decoder, programs, batch, empty, guidanceScale, options)));
  }
  return out;
}

interface Batch {
  first: number;
  /** [rows, L, D] */
  contexts: Float32Array;
  randoms: Random[];
  /** Given noise, [rows, ...latentShape]. */
  latents?: Float32Array;
}

async function givenLatents(config: DecoderConfig, latents: Tensor | undefined, rows: number) {
  if (!latents) return undefined;
  const wanted = [rows, ...config.latentShape];
  if (!sameShape(latents.shape, wanted))
    throw new ShapeError(
      'generateMedia',
      `expected latents ${showShape(wanted)}, got ${showShape(latents.shape)}`,
      'give normal noise for each row',
    );
  return (await latents.data()) as Float32Array;
}

async function generateBatch(
  decoder: Decoder,
  programs: Programs,
  { first, contexts, randoms, latents }: Batch,
  empty: Float32Array,
  scale: number,
  options: GenerateMediaOptions,
): Promise<Medium[]> {
  const { config, params } = decoder;
  const { text_encoder: _, unet: __, ...decoding } = params;
  const rows = randoms.length;
  // Few sizes are compiled: rows are rounded up to a power of two, and what is computed in the others is not looked at.
  const padded = 2 ** Math.ceil(Math.log2(rows));
  const size = sizeOf(config.latentShape);
  const states = new Float32Array(padded * empty.length);
  states.set(contexts);
  const { length, textEncoder, latentShape } = config;
  const context = tensor(states, { shape: [padded, length, textEncoder.hiddenSize] });
  const nothing = tensor(empty, { shape: [1, length, textEncoder.hiddenSize] });
  const draw = (): Float32Array => {
    const noise = new Float32Array(padded * size);
    randoms.forEach((r, i) => noise.set(r.normals(size), i * size));
    return noise;
  };
  const sampler = samplerOf(config, options);
  const steps = sampler.timesteps.length;
  let sample = latents ? new Float32Array(padded * size) : draw();
  if (latents) sample.set(latents);
  for (let i = 0; i < steps; i++) {
    checkCancelled('generateMedia');
    const x = tensor(sample, { shape: [padded, ...latentShape] });
    const t = tensor(new Float32Array(padded).fill(sampler.timesteps[i]));
    const prediction = await programs.denoise(params.unet, x, t, context, nothing, scale, scale !== 1);
    const values = (await prediction.data()) as Float32Array;
    sample = sampler.step(i, values, sample, sampler.stochastic ? draw() : undefined);
    prediction.dispose();
    options.onStep?.({ step: i + 1, steps, firstRow: first, rows });
  }
  for (let k = 0; k < rows * size; k++)
    if (!Number.isFinite(sample[k]))
      throw new NonFiniteError(
        'generateMedia',
        `expected finite latents, got ${sample[k]} in row ${first + Math.floor(k / size)}`,
        'check the weights, the guidance scale and the states that stand for the caption',
      );
  const decoded = await programs.decode(decoding, tensor(sample, { shape: [padded, ...latentShape] }));
  const values = (await decoded.data()) as Float32Array;
  const shape = decoded.shape.slice(1);
  const each = sizeOf(shape);
  decoded.dispose();
  const broken = values.subarray(0, rows * each).findIndex((v) => !Number.isFinite(v));
  if (broken >= 0)
    throw new NonFiniteError(
      'generateMedia',
      `expected finite values from the autoencoder, got ${values[broken]} in row ${first + Math.floor(broken / each)}`,
      'check its weights',
    );
  const head = mediaHead('generateMedia', decoder.modality);
  return Array.from({ length: rows }, (_, i) => head.toMedium(config, values.slice(i * each, (i + 1) * each), shape));
}

function samplerOf(config: DecoderConfig, options: GenerateMediaOptions): Sampler {
  const { sampler = config.sampling.sampler, steps = config.sampling.steps, eta = 0 } = options;
  if (sampler === 'ddim') return ddim(config.scheduler, steps, { eta });
  if (eta)
    throw new ArgumentError('generateMedia', `expected eta 0 for ${sampler}, got ${eta}`, "choose sampler 'ddim'");
  return dpmSolver(config.scheduler, steps);
}

/** [rows, L, D] */
async function promptStates(decoder: Decoder, programs: Programs, o: GenerateMediaOptions): Promise<Float32Array> {
  const { prompts, promptEmbeds } = o;
  if (!prompts === !promptEmbeds)
    throw new ArgumentError(
      'generateMedia',
      `expected prompts or promptEmbeds, got ${prompts ? 'both' : 'neither'}`,
      'give one of them',
    );
  if (prompts) return encode(decoder, programs, prompts);
  const { length, textEncoder } = decoder.config;
  const { shape } = promptEmbeds!;
  if (shape.length !== 3 || shape[1] !== length || shape[2] !== textEncoder.hiddenSize)
    throw new ShapeError(
      'generateMedia',
      `expected promptEmbeds [B, ${length}, ${textEncoder.hiddenSize}], got ${showShape(shape)}`,
      'they stand for the token states of this decoder',
    );
  return (await promptEmbeds!.data()) as Float32Array;
}

/** Captions are encoded one by one: one program serves any number of them. */
async function encode(decoder: Decoder, programs: Programs, captions: readonly string[]): Promise<Float32Array> {
  const { length, textEncoder } = decoder.config;
  const out = new Float32Array(captions.length * length * textEncoder.hiddenSize);
  for (const [i, caption] of captions.entries()) {
    const states = await programs.encode(
      decoder.params.text_encoder,
      captionTensor(decoder.tokenizer, [caption], length),
    );
    out.set((await states.data()) as Float32Array, (i * out.length) / captions.length);
    states.dispose();
  }
  return out;
}

/** The programs of one decoder's configuration; jit keeps one form of each for every number of rows. */
function compilePrograms(config: DecoderConfig, device?: string) {
  const head = mediaHead('generateMedia', config.modality);
  return {
    encode: jit(
      (p: DecoderParams['text_encoder'], ids: Tensor) => encodeCaptions({ params: { text_encoder: p }, config }, ids),
      {
        device,
        name: 'encodeCaptions',
      },
    ),
    denoise: jit(
      (
        p: DecoderParams['unet'],
        x: Tensor,
        t: Tensor,
        context: Tensor,
        empty: Tensor,
        scale: Tensor,
        guide: boolean,
      ) => {
        const model = (sample: Tensor, timesteps: Tensor, c: Tensor): Tensor =>
          denoise(p, config.unet, { sample, timesteps, context: c });
        return guide ? withGuidance(model, empty, scale)(x, t, context) : model(x, t, context);
      },
      { device, name: 'denoise' },
    ),
    decode: jit((p: DecodingParams, latents: Tensor) => head.decode(p, config, latents), { device, name: 'decode' }),
  };
}
type Programs = ReturnType<typeof compilePrograms>;

const compiled = new Map<string, Programs>();
function programsFor(config: DecoderConfig, device?: string): Programs {
  const key = `${device ?? ''} ${JSON.stringify(config)}`;
  if (!compiled.has(key)) compiled.set(key, compilePrograms(config, device));
  return compiled.get(key)!;
}

/** Gives back the memory of all compiled programs of media generation. */
export function releaseMediaPrograms(): void {
  for (const programs of compiled.values()) for (const program of Object.values(programs)) program.release();
  compiled.clear();
}
