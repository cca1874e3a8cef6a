/**
 * What one evaluation sample gave, kept sample by sample, so that any figure of a method (and the difference of two
 * methods) can be computed over any choice of samples: all, one category, or a bootstrap's draw.
 */
import type { Category, Scores } from '../world';
import type { SampleLoss } from './perplexity';

/** The kinds of what a response emits, for its diversity (TDI): text, and what the 17 signal tokens stand for. */
export const EMITTED = ['text', 'img', 'aud', 'vid', 'call', 'plan', 'think', 'act'] as const;
export type Emitted = (typeof EMITTED)[number];

/** The five checks of ACI, each of which a prompt of its choice asks for. */
export const AGENTIC_CHECKS = ['think', 'plan', 'call', 'act', 'signals'] as const;
export type AgenticCheck = (typeof AGENTIC_CHECKS)[number];

/** The parts of HRS, each from 0 to 1. */
export const HUMAN_PARTS = ['relevance', 'format', 'length', 'freshness', 'task'] as const;
export type HumanPart = (typeof HUMAN_PARTS)[number];

/** What a model wrote for a sample, judged. */
export interface JudgedAnswer {
  /** Tokens that were generated. */
  tokens: number;
  /** The checkers' scores by segment, and the mean of those that matter (`rewardOf`). */
  scores: Scores;
  reward: number;
  /** How often each kind was emitted. */
  emitted: Record<Emitted, number>;
  /** Jaccard index of the media asked for and the media whose blocks are whole. */
  modalities: number;
  human: Record<HumanPart, number>;
  /** Only of the prompts that ACI is taken over. */
  agentic?: Record<AgenticCheck, boolean>;
  /** Divergence from the supervised model, nats, summed over `driftTokens` positions of the answer. */
  drift?: number;
  driftTokens?: number;
}

/** Of a sample: the loss of its reference response, and what was answered (where answers were generated). */
export interface EvaluatedSample extends SampleLoss {
  id: string;
  category: Category;
  answer?: JudgedAnswer;
}
