/**
 * OmniAgent's five indices and what goes with them, from evaluated samples. The card publishes their values only; the definitions are
 * this project's proposals [I], chosen to agree with the values where that could be checked (docs/evaluation.md).
 *
 *   cmts      mean over c in {audio_to_image, image_to_audio, text_to_multimodal} of clip(1 - NLL_c / ln |V|, 0, 1), where NLL_c is
 *             the mean loss of a response token and ln |V| that of a guess
 *   aci       share of the checks {think, plan, call, act, signals} that 12 prompts which ask for all five pass: 60 checks
 *   tdi       H(p) / ln 8, p the frequencies of the kinds of what is emitted (text, img, aud, vid, call, plan, think, act)
 *   mcs       mean Jaccard index of the media asked for and emitted whole
 *   hrs       mean of relevance, format, length, freshness and task success, over the answers
 *   novelAvg  mean of the five
 *   reward    mean of the checkers' scores that matter;  drift: nats a token from the supervised model, over its own answers
 */
import { ArgumentError } from '../errors';
import { AGENTIC_CHECKS, EMITTED, HUMAN_PARTS } from './evaluated';
import type { EvaluatedSample, JudgedAnswer } from './evaluated';
import { perplexityPools } from './perplexity';

export const INDICES = ['cmts', 'aci', 'tdi', 'mcs', 'hrs'] as const;
export type Index = (typeof INDICES)[number];

/** The cross-modal categories. */
export const CROSS_MODAL = perplexityPools.genPpl;

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Cross-modal token score: see above. Categories without samples are left out. Throws ArgumentError if all are. */
export function crossModalScore(samples: readonly EvaluatedSample[], vocabulary: number): number {
  const scores = CROSS_MODAL.flatMap((category) => {
    const own = samples.filter((s) => s.category === category);
    const tokens = own.reduce((n, s) => n + s.tokens, 0);
    if (!tokens) return [];
    const nll = own.reduce((n, s) => n + s.nll, 0) / tokens;
    return [Math.min(1, Math.max(0, 1 - nll / Math.log(vocabulary)))];
  });
  if (!scores.length)
    throw new ArgumentError(
      'crossModalScore',
      `expected samples of ${CROSS_MODAL.join(', ')}, got none`,
      'evaluate on the whole evaluation set',
    );
  return mean(scores);
}

/** Normalised entropy of counts: 0 if all are of one kind (or there are none), 1 if the kinds are equally frequent. */
export function normalisedEntropy(counts: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0);
  if (!total || counts.length < 2) return 0;
  const h = -counts.reduce((sum, n) => (n ? sum + (n / total) * Math.log(n / total) : sum), 0);
  // -0 for a single kind.
  return h / Math.log(counts.length) + 0;
}

export const tokenDiversity = (answers: readonly JudgedAnswer[]): number =>
  normalisedEntropy(EMITTED.map((kind) => answers.reduce((n, a) => n + a.emitted[kind], 0)));

/** Share of passed checks over the answers that have them; null where none has. */
export function agenticScore(answers: readonly JudgedAnswer[]): number | null {
  const checks = answers.flatMap(({ agentic }) => (agentic ? AGENTIC_CHECKS.map((c) => Number(agentic[c])) : []));
  return checks.length ? mean(checks) : null;
}

/** All figures of the answers: the indices but CMTS, rewards, drift. Figures of which there is nothing are left out. */
export function answerFigures(answers: readonly JudgedAnswer[]): Record<string, number> {
  if (!answers.length) return {};
  const aci = agenticScore(answers);
  const human = Object.fromEntries(HUMAN_PARTS.map((p) => [p, mean(answers.map((a) => a.human[p]))]));
  const drifted = answers.filter((a) => a.driftTokens);
  return {
    ...(aci === null ? {} : { aci }),
    tdi: tokenDiversity(answers),
    mcs: mean(answers.map((a) => a.modalities)),
    hrs: mean(Object.values(human)),
    ...Object.fromEntries(Object.entries(human).map(([part, value]) => [`hrs/${part}`, value])),
    reward: mean(answers.map((a) => a.reward)),
    ...(drifted.length
      ? {
          drift: drifted.reduce((n, a) => n + a.drift!, 0) / drifted.reduce((n, a) => n + a.driftTokens!, 0),
        }
      : {}),
  };
}

/** Everything but perplexities, over these samples; `novelAvg` where all five indices are there. */
export function indexFigures(samples: readonly EvaluatedSample[], vocabulary: number): Record<string, number> {
  const answers = samples.flatMap((s) => (s.answer ? [s.answer] : []));
  const figures: Record<string, number> = { cmts: crossModalScore(samples, vocabulary), ...answerFigures(answers) };
  if (INDICES.every((name) => name in figures)) figures.novelAvg = mean(INDICES.map((name) => figures[name]));
  return figures;
}
