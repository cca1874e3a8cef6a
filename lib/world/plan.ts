/**
 * Plans: the steps that a model wrote, with their kinds and what each builds on; and whether the rest of the response
 * carries them out. One definition, for the agent that runs plans and for the evaluation that counts valid ones.
 */
import { PLAN_CHECKS } from './answers';
import type { PlanStep } from './records';
import { parseCall, readParts, readSteps } from './response';
import type { Part } from './response';
import { MODALITIES } from './signals';
import type { Modality } from './signals';
import type { Message } from './chat';

/** What a step is: one of the world's kinds, the call of another tool that its text names, or not recognised. */
export type StepKind = PlanStep | 'tool' | 'other';

export interface PlannedStep {
  /** 1, 2, ... as the model numbers them. */
  id: number;
  kind: StepKind;
  text: string;
  /** The tool that carries it out, for the kinds `search`, `compute` and `tool`. */
  tool?: string;
  /** Ids of the steps before it whose results it needs. */
  dependsOn: number[];
}

const TOOL_OF: Partial<Record<StepKind, string>> = { search: 'web_search', compute: 'code_interpreter' };
const KINDS = Object.keys(PLAN_CHECKS) as PlanStep[];
const isModality = (kind: string): kind is Modality => (MODALITIES as readonly string[]).includes(kind);

/** The kind of a step: the tool that its text names, else the kind whose words come first in it. */
function kindOf(text: string, tools: readonly string[]): Pick<PlannedStep, 'kind' | 'tool'> {
  const named = tools.find((tool) => new RegExp(`(?<!\\w)${tool.replace(/[^\w]/g, '\\$&')}(?!\\w)`).test(text));
  if (named !== undefined) return { kind: KINDS.find((kind) => TOOL_OF[kind] === named) ?? 'tool', tool: named };
  let best: { kind: StepKind; at: number } = { kind: 'other', at: Infinity };
  for (const kind of KINDS) {
    const at = text.search(PLAN_CHECKS[kind]);
    if (at >= 0 && at < best.at) best = { kind, at };
  }
  return { kind: best.kind, ...(TOOL_OF[best.kind] ? { tool: TOOL_OF[best.kind] } : {}) };
}

/**
 * A step's dependencies: those that its text names ("step 2"), else by what flows where. What is computed or called may
 * use what was found; a description tells what was found; media show what was described, or else found.
 */
function dependenciesOf(step: Omit<PlannedStep, 'dependsOn'>, before: readonly PlannedStep[]): number[] {
  const named = [...step.text.matchAll(/\bsteps?\s+(\d+)(?:\s*(?:,|and)\s*(\d+))*/gi)]
    .flatMap((m) => m[0].match(/\d+/g) ?? [])
    .map(Number)
    .filter((id) => id < step.id && before.some((s) => s.id === id));
  if (named.length) return [...new Set(named)].sort((a, b) => a - b);
  const found = before.filter((s) => s.kind === 'search').map((s) => s.id);
  if (step.kind === 'compute' || step.kind === 'tool' || step.kind === 'describe') return found;
  if (!isModality(step.kind)) return [];
  const described = before.findLast((s) => s.kind === 'describe');
  return described ? [described.id] : found;
}

/** The plan that these texts make. `tools` are names of the tools there are. Same texts, same plan. */
export function planOf(texts: readonly string[], tools: readonly string[] = []): PlannedStep[] {
  const steps: PlannedStep[] = [];
  texts.forEach((text, i) => {
    const step = { id: i + 1, text, ...kindOf(text, tools) };
    steps.push({ ...step, dependsOn: dependenciesOf(step, steps) });
  });
  return steps;
}

/**
 * Something that a response does besides planning, in order: a well-formed call, an answer's text, or a whole block.
 */
export type Deed = { kind: 'call'; tool: string } | { kind: 'text' } | { kind: Modality };

const deedOf = (part: Part, tools: readonly string[] | undefined): Deed[] => {
  if (part.kind === 'block') return [{ kind: part.modality }];
  if (part.kind === 'text' || part.kind === 'act') return part.text.trim() ? [{ kind: 'text' }] : [];
  const call = part.kind === 'call' ? parseCall(part.text, tools).call : undefined;
  return call ? [{ kind: 'call', tool: call.name }] : [];
};

/** Whether a deed carries a step out. */
export const fulfils = (deed: Deed, step: Pick<PlannedStep, 'kind' | 'tool'>): boolean =>
  step.tool !== undefined
    ? deed.kind === 'call' && deed.tool === step.tool
    : step.kind === 'describe'
      ? deed.kind === 'text'
      : deed.kind === step.kind;

/**
 * What is wrong with a plan, given what was done: a plan is valid if it has two steps or more, each of a known kind;
 * if every step is carried out, and calls and media come in the order of their steps; and if no call and no medium is
 * without a step. (Text may say more than a plan asks for.) Empty if it is valid.
 */
export function planProblems(steps: readonly PlannedStep[], deeds: readonly Deed[]): string[] {
  const problems: string[] = [];
  if (steps.length < 2) problems.push(`expected two steps or more, got ${steps.length}`);
  const left = deeds.map((deed, at) => ({ deed, at }));
  let last = -1;
  for (const step of steps) {
    if (step.kind === 'other') {
      problems.push(`step ${step.id} is of no known kind: ${step.text}`);
      continue;
    }
    const index = left.findIndex(({ deed }) => fulfils(deed, step));
    if (index < 0) {
      problems.push(`step ${step.id} (${step.tool ?? step.kind}) is not carried out`);
      continue;
    }
    // A description may stand anywhere in the answer's text.
    if (step.kind === 'describe') continue;
    const [{ at }] = left.splice(index, 1);
    if (at < last) problems.push(`step ${step.id} (${step.tool ?? step.kind}) comes before the step that precedes it`);
    last = Math.max(last, at);
  }
  for (const { deed } of left)
    if (deed.kind === 'call') problems.push(`the call of ${deed.tool} is in no step`);
    else if (deed.kind !== 'text') problems.push(`the ${deed.kind} is in no step`);
  return problems;
}

export interface ReadPlan {
  steps: PlannedStep[];
  /** Empty if the plan is valid. */
  problems: string[];
}

/** The plan of a response (turns, or the text of one), and what is wrong with it; null if it has none. Never throws. */
export function readPlan(response: string | readonly Message[], tools?: readonly string[]): ReadPlan | null {
  const turns =
    typeof response === 'string' ? [response] : response.filter((m) => m.role === 'assistant').map((m) => m.content);
  const parts = turns.flatMap(readParts);
  const plans = parts.flatMap((part) => (part.kind === 'plan' ? [part.text] : []));
  if (!plans.length) return null;
  const steps = planOf(plans.flatMap(readSteps), tools);
  return {
    steps,
    problems: planProblems(
      steps,
      parts.flatMap((part) => deedOf(part, tools)),
    ),
  };
}
