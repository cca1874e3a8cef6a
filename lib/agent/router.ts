/**
 * The router: takes a turn of the model apart and hands each part to the module that the registry of signal tokens
 * names for it (world/signals.ts). What is broken goes to nobody, and is reported.
 */
import { readParts, readSteps } from '../world/response';
import type { Part } from '../world/response';
import { MODALITIES, SIGNALS } from '../world/signals';
import type { Modality, Signal } from '../world/signals';
import type { ModelResponse } from './model';

/** A whole block, with what its decoder takes. */
export type Block = ModelResponse['blocks'][number];

/** Something that the model does, for the executor, in the order of emission. */
export type Action = { kind: 'call'; json: string } | { kind: 'media'; block: Block };

/** A turn by modules. */
export interface Routed {
  /** module 'thought' */
  thoughts: string[];
  /** module 'planner': texts of the steps */
  steps: string[];
  /** modules 'tool' and 'decoder' */
  actions: Action[];
  /** module 'answer', and text that no token opens */
  text: string;
  /** Modalities with a block that is not whole. */
  incomplete: Modality[];
  warnings: string[];
}

/** A part that goes to a module, or a run of tokens of one modality that make no whole block. */
type Delivery = Exclude<Part, { kind: 'stray' }> | { kind: 'broken'; modality: Modality; tokens: string[] };

/** The module of a part: by its row of the registry; text without a token belongs to the answer. */
const moduleOf = (part: Exclude<Part, { kind: 'stray' }>): Signal['module'] =>
  part.kind === 'block' ? SIGNALS[part.modality].module : part.kind === 'text' ? 'answer' : SIGNALS[part.kind].module;

/** What each module takes. A module of the registry that is missing here does not compile. */
const RECEIVERS: Record<Signal['module'], (routed: Routed, part: Part, blocks: Block[]) => void> = {
  thought: (routed, part) => {
    if ('text' in part && part.text.trim()) routed.thoughts.push(part.text.trim());
  },
  planner: (routed, part) => {
    if ('text' in part) routed.steps.push(...readSteps(part.text));
  },
  tool: (routed, part) => {
    if ('text' in part) routed.actions.push({ kind: 'call', json: part.text });
  },
  answer: (routed, part) => {
    if ('text' in part && part.text.trim()) routed.text += (routed.text ? ' ' : '') + part.text.trim();
  },
  decoder: (routed, part, blocks) => {
    if (part.kind !== 'block') return;
    // The model's blocks come in the text's order; one that it could not project is missing among them.
    const index = blocks.findIndex((block) => block.modality === part.modality);
    if (index >= 0) return void routed.actions.push({ kind: 'media', block: blocks.splice(index, 1)[0] });
    routed.incomplete.push(part.modality);
    routed.warnings.push(`no ${part.modality} was made: the model has no projector for it`);
  },
};

/** Takes a turn apart. Never throws, whatever the model wrote. */
export function route(response: ModelResponse): Routed {
  const routed: Routed = { thoughts: [], steps: [], actions: [], text: '', incomplete: [], warnings: [] };
  const blocks = [...response.blocks];
  for (const part of deliveries(readParts(response.text)))
    if (part.kind !== 'broken') RECEIVERS[moduleOf(part)](routed, part, blocks);
    else {
      const { modality, tokens } = part;
      const all = SIGNALS[modality].tokens.length;
      routed.incomplete.push(modality);
      routed.warnings.push(
        `no ${modality} was made: its block of signal tokens is ${tokens.length < all ? `incomplete (${tokens.length} of ${all})` : 'out of order'}`,
      );
    }
  for (const modality of response.incomplete)
    if (!routed.incomplete.includes(modality)) {
      routed.incomplete.push(modality);
      routed.warnings.push(`no ${modality} was made: its block of signal tokens is incomplete`);
    }
  routed.incomplete = MODALITIES.filter((m) => routed.incomplete.includes(m));
  if (response.finish !== 'stop')
    routed.warnings.push(
      `the answer was cut: ${response.finish === 'max-length' ? "the model's context is full" : 'it reached the limit on new tokens'}`,
    );
  return routed;
}

/** The parts, with neighbouring stray tokens of a modality put together. */
function deliveries(parts: readonly Part[]): Delivery[] {
  const out: Delivery[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (part.kind !== 'stray') out.push(part);
    else if (last?.kind === 'broken' && last.modality === part.modality) last.tokens.push(part.token);
    else out.push({ kind: 'broken', modality: part.modality, tokens: [part.token] });
  }
  return out;
}
