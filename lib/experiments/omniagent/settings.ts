/**
 * What the stages of the papers use, for the tables that set it beside ours. Marks of the source: [S] OmniAgent's card; [N] NExT-GPT's
 * scripts; [B] ImageBind; [D] the published decoders' own configuration files (Stable Diffusion 1.5, AudioLDM 2, ModelScope); [M] the
 * method's own paper or code, which is not the card's; where nobody publishes a value, "not published".
 */
import { ArgumentError } from '../../errors';
import type { Run } from '../../pipeline/run-result';
import type { Cell, Table } from '../../report/table';
import { pairCount } from './preference';
import type { PreferenceConfig } from './preference';

interface Setting {
  what: string;
  paper: string;
  source: '[S]' | '[N]' | '[B]' | '[D]' | '[M]' | '';
  /** Where our value stands in the run's configuration ("optimizer.learningRate"), or how it is made of it. */
  ours: string | ((config: Record<string, unknown>) => Cell);
}

const not = 'not published';
const at = (config: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], config);
const join =
  (...paths: string[]) =>
  (config: Record<string, unknown>): string =>
    paths.map((p) => String(at(config, p))).join(' x ');

const optimizer = (rate: string, source: Setting['source']): Setting[] => [
  { what: 'learning rate', paper: rate, source, ours: 'optimizer.learningRate' },
  { what: 'steps x batch', paper: not, source: '', ours: join('optimizer.steps', 'optimizer.batchSize') },
];

const settings: Record<string, Setting[]> = {
  'omniagent/stage0_backbone': [
    { what: 'language model', paper: 'Vicuna-7B v1.5 (downloaded)', source: '[S]', ours: () => 'LLaMA, from scratch' },
    { what: 'width x layers', paper: '4096 x 32', source: '[S]', ours: join('model.width', 'model.layers') },
    { what: 'vocabulary', paper: '32000 + 17 signal tokens', source: '[S]', ours: 'model.vocabSize' },
    { what: 'learning rate', paper: 'none: not trained', source: '[S]', ours: 'optimizer.learningRate' },
    {
      what: 'steps x batch',
      paper: 'none: not trained',
      source: '[S]',
      ours: join('optimizer.steps', 'optimizer.batchSize'),
    },
  ],
  'omniagent/stage0_encoder': [
    {
      what: 'joint encoder',
      paper: 'ImageBind-Huge (downloaded)',
      source: '[S]',
      ours: () => 'ImageBind, from scratch',
    },
    { what: 'joint space', paper: '1024', source: '[B]', ours: 'model.embedWidth' },
    {
      what: 'vision trunk, width x layers',
      paper: '1280 x 32',
      source: '[B]',
      ours: join('model.vision.width', 'model.vision.layers'),
    },
    {
      what: 'audio trunk, width x layers',
      paper: '768 x 12',
      source: '[B]',
      ours: join('model.audio.width', 'model.audio.layers'),
    },
    {
      what: 'text trunk, width x layers',
      paper: '1024 x 24',
      source: '[B]',
      ours: join('model.text.width', 'model.text.layers'),
    },
    ...optimizer('none: not trained', '[S]'),
  ],
  'omniagent/stage1_encode': [
    { what: 'trained', paper: 'input projector, 50 M', source: '[S]', ours: () => 'input projector' },
    {
      what: 'projector',
      paper: 'transformer, 1024 to 4096',
      source: '[S]',
      ours: join('projector.width', 'projector.layers'),
    },
    { what: 'slots of a medium', paper: '1 (linear) or 8 (grouping)', source: '[N]', ours: 'slots' },
    ...optimizer('1e-3', '[N]'),
  ],
  'omniagent/stage2_decode': [
    {
      what: 'trained',
      paper: 'output projectors',
      source: '[N]',
      ours: (c) =>
        `output projectors, signal tokens${at(c, 'lora') ? `, LoRA of rank ${String(at(c, 'lora.rank'))}` : ''}`,
    },
    { what: 'projector, width', paper: '512', source: '[N]', ours: 'projector.width' },
    {
      what: 'encoder + decoder layers',
      paper: '4 + 4',
      source: '[N]',
      ours: (c) => `${String(at(c, 'projector.encoderLayers'))} + ${String(at(c, 'projector.decoderLayers'))}`,
    },
    { what: 'signal tokens, picture / sound / clip', paper: '5 / 4 / 4', source: '[S]', ours: () => '5 / 4 / 4' },
    { what: 'weight of the alignment', paper: '1', source: '[N]', ours: 'alignWeight' },
    { what: 'weight of reading the captions', paper: '0 (not there)', source: '[N]', ours: 'readWeight' },
    ...optimizer('2e-4', '[N]'),
  ],
  'omniagent/stage3_sft': [
    { what: 'LoRA rank', paper: '64', source: '[S]', ours: 'lora.rank' },
    { what: 'LoRA alpha', paper: not, source: '', ours: 'lora.alpha' },
    {
      what: 'LoRA on',
      paper: 'q, k, v, o (NExT-GPT)',
      source: '[N]',
      ours: (c) => (at(c, 'lora.targets') as string[]).join(', '),
    },
    {
      what: 'trained whole',
      paper: not,
      source: '',
      ours: (c) => (at(c, 'lora.modulesToSave') as string[]).join(', '),
    },
    { what: "projectors' share of the learning rate", paper: '0.1', source: '[N]', ours: 'projectorRate' },
    ...optimizer('2e-4', '[N]'),
  ],
};

/** The clip decoder is made from the picture decoder, and has its sizes. */
const ofDecoder =
  (show: (config: Record<string, unknown>) => Cell) =>
  (config: Record<string, unknown>): Cell =>
    'unet' in config ? show(config) : "the picture decoder's";

for (const [modality, name, latents, channels, text] of [
  ['image', 'Stable Diffusion 1.5', '4', '320, 640, 1280, 1280', '77 x 768'],
  ['audio', 'AudioLDM 2', '8', '128, 256, 384, 640', '8 x 768 and T5 states x 1024'],
  ['video', 'ModelScope', '4', '320, 640, 1280, 1280', '77 x 1024'],
] as const)
  settings[`omniagent/stage0_${modality}`] = [
    { what: 'decoder', paper: `${name} (downloaded)`, source: '[S]', ours: () => 'latent diffusion, from scratch' },
    {
      what: 'channels of the latents',
      paper: latents,
      source: '[D]',
      ours: ofDecoder((c) => String(at(c, 'vae.latentChannels'))),
    },
    {
      what: 'channels of the denoiser',
      paper: channels,
      source: '[D]',
      ours: ofDecoder((c) => (at(c, 'unet.blockOutChannels') as number[]).join(', ')),
    },
    {
      what: 'caption states, tokens x width',
      paper: text,
      source: '[D]',
      ours: ofDecoder(join('length', 'textEncoder.hiddenSize')),
    },
    {
      what: 'prediction',
      paper: 'noise (epsilon)',
      source: '[D]',
      ours: ofDecoder((c) => String(at(c, 'scheduler.predictionType'))),
    },
    { what: 'sampling steps', paper: '40', source: '[N]', ours: 'sampling.steps' },
    { what: 'guidance', paper: '7.5', source: '[N]', ours: 'sampling.guidanceScale' },
    {
      what: 'steps x batch',
      paper: 'none: not trained',
      source: '[S]',
      ours: join('diffusion.steps', 'diffusion.batchSize'),
    },
  ];

/** What the card says of all six methods of stage 4. */
const stage4 = (...own: Setting[]): Setting[] => [
  { what: 'LoRA rank', paper: '64', source: '[S]', ours: 'lora.rank' },
  ...own,
  ...optimizer(not, ''),
];
const onPairs = (...own: Setting[]): Setting[] =>
  stage4(
    { what: 'pairs', paper: '50,000', source: '[S]', ours: (c) => pairCount(c as unknown as PreferenceConfig) },
    { what: 'epochs', paper: '3', source: '[S]', ours: 'epochs' },
    ...own,
  );
const onRewards = (...own: Setting[]): Setting[] =>
  stage4(
    { what: 'prompts', paper: not, source: '', ours: 'prompts' },
    { what: 'epochs', paper: '3', source: '[S]', ours: epochsOfPrompts },
    { what: 'responses to a prompt', paper: '64', source: '[M]', ours: 'sampling.generations' },
    { what: 'weight of the KL', paper: '0.04', source: '[M]', ours: 'method.policy.kl.beta' },
    ...own,
  );
const epochsOfPrompts = (c: Record<string, unknown>): number =>
  ((at(c, 'optimizer.steps') as number) * (at(c, 'optimizer.batchSize') as number)) / (c.prompts as number);

settings['omniagent/stage4_dpo'] = onPairs({ what: 'beta', paper: '0.1', source: '[M]', ours: 'beta' });
settings['omniagent/stage4_simpo'] = onPairs(
  { what: 'beta', paper: '2', source: '[M]', ours: 'beta' },
  { what: 'gamma / beta', paper: '0.25', source: '[M]', ours: 'gammaBetaRatio' },
);
settings['omniagent/stage4_mm_dpo'] = onPairs(
  { what: 'beta', paper: '0.1', source: '[M]', ours: 'beta' },
  {
    what: 'weights of text, img, aud, vid, task',
    paper: not,
    source: '',
    ours: (c) => Object.values(c.weights as object).join(', '),
  },
  {
    what: 'weights of image term, anchor',
    paper: '1, 1',
    source: '[M]',
    ours: (c) => [c.imageWeight, c.anchorWeight].join(', '),
  },
);
settings['omniagent/stage4_grpo'] = onRewards(
  { what: 'clip', paper: not, source: '', ours: 'method.policy.clipLow' },
  { what: 'iterations on one batch', paper: '1', source: '[M]', ours: 'sampling.iterations' },
);
settings['omniagent/stage4_grpo_plus'] = onRewards(
  { what: 'dual clip', paper: not, source: '', ours: 'method.policy.dualClip' },
  { what: 'entropy bonus', paper: not, source: '', ours: 'method.policy.entropyCoefficient' },
  { what: 'reward at signal tokens', paper: not, source: '', ours: 'method.processReward' },
);
settings['omniagent/stage4_online_grpo'] = onRewards(
  { what: 'groups in the buffer', paper: not, source: '', ours: 'method.replay.capacity' },
  {
    what: 'temperature from, to',
    paper: not,
    source: '',
    ours: (c) => ['min', 'max'].map((k) => String(at(c, `method.dynamicTemperature.${k}`))).join(', '),
  },
);

/** The table for a run: the papers' settings beside its own. Throws ArgumentError for an experiment without one. */
export function settingsTable(run: Pick<Run, 'name' | 'config' | 'manifest'>): Table {
  const list = settings[run.name];
  if (!list)
    throw new ArgumentError(
      'settingsTable',
      `expected one of ${Object.keys(settings).join(', ')}, got "${run.name}"`,
      'name a stage of OmniAgent',
    );
  const cell = (value: unknown): Cell =>
    typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean' ? value : null;
  return {
    caption: `${run.name}, profile ${run.manifest.profile}: [S] OmniAgent's card, [N] NExT-GPT, [B] ImageBind, [D] the decoder's own files, [M] the method's own paper`,
    columns: ['Setting', 'Papers', 'Source', 'Ours'],
    rows: list.map(({ what, paper, source, ours }) => [
      what,
      paper,
      source,
      typeof ours === 'string' ? cell(at(run.config, ours)) : ours(run.config),
    ]),
  };
}
