/**
 * Running a plan. The model writes a plan (world/plan.ts reads it into steps with kinds and dependencies) and then does
 * things: calls, text, media. Each thing is the doing of a step, the first that waits for such a thing. A thing whose
 * step builds on one that failed is not done, and its step is skipped; unless the model did it after it had been told
 * of the failure, in a later turn: then it knows what it does. At the end, steps that nothing carried out have failed,
 * and those that build on them were skipped.
 */
import { fulfils, planOf, planProblems } from '../world/plan';
import type { Deed, PlannedStep } from '../world/plan';

export type StepStatus = 'done' | 'failed' | 'skipped';

/** A step of a plan, and what became of it. */
export interface StepResult extends PlannedStep {
  status: StepStatus;
  /** Why it failed or was skipped. */
  detail?: string;
}

export interface PlanResult {
  steps: StepResult[];
  /** Whether the plan is one, and the response does what it says: see planProblems of omnilab/world. */
  valid: boolean;
  problems: string[];
}

interface State {
  step: PlannedStep;
  status: StepStatus | 'waiting';
  detail?: string;
  /** The turn in which it failed or was skipped. */
  turn: number;
}

/** Plans of one reply, as its turns come. The same turns give the same result. */
export class PlanRun {
  private readonly texts: string[] = [];
  private states: State[] = [];
  private readonly deeds: Deed[] = [];

  /** `tools` are the names of the tools that there are. */
  constructor(private readonly tools: readonly string[]) {}

  /** Steps that the model has written in this turn: a first plan, or more of one. */
  add(texts: readonly string[]): void {
    this.texts.push(...texts);
    const steps = planOf(this.texts, this.tools);
    this.states = steps.map((step, i) => ({ ...(this.states[i] ?? { status: 'waiting', turn: -1 }), step }));
  }

  /**
   * The step that something done now belongs to: the first waiting one that it fulfils, else the last one that did not
   * succeed. Null if there is none. A call that could not be read has the tool null, and belongs to any step with a
   * tool.
   */
  claim(deed: Deed | { kind: 'call'; tool: null }): PlannedStep | null {
    const fits = ({ step }: State): boolean =>
      deed.kind === 'call' && deed.tool === null ? step.tool !== undefined : fulfils(deed, step);
    const waiting = this.states.find((s) => s.status === 'waiting' && fits(s));
    return (waiting ?? this.states.findLast((s) => s.status !== 'done' && fits(s)))?.step ?? null;
  }

  /** Why a step cannot be done in this turn; null if it can. */
  obstacle(step: PlannedStep, turn: number): string | null {
    for (const id of step.dependsOn) {
      const { status, turn: when } = this.states[id - 1];
      if ((status === 'failed' || status === 'skipped') && when >= turn)
        return `step ${id} ${status === 'failed' ? 'failed' : 'was skipped'}`;
    }
    return null;
  }

  /** Notes what became of a step. */
  settle(step: PlannedStep | null, status: StepStatus, turn: number, detail?: string): void {
    if (step) this.states[step.id - 1] = { step, status, turn, ...(detail === undefined ? {} : { detail }) };
  }

  /** Notes what the model did, for the check of the plan against it. */
  note(deed: Deed): void {
    this.deeds.push(deed);
  }

  /** The plan at the end of the reply; null if the model made none. */
  finish(): PlanResult | null {
    if (!this.states.length) return null;
    for (const state of this.states) {
      if (state.status !== 'waiting') continue;
      const reason = this.obstacle(state.step, -1);
      state.status = reason ? 'skipped' : 'failed';
      state.detail = reason ?? 'nothing in the answer carries it out';
    }
    const problems = planProblems(
      this.states.map((s) => s.step),
      this.deeds,
    );
    const steps = this.states.map(({ step, status, detail }) => ({
      ...step,
      status: status as StepStatus,
      ...(detail === undefined ? {} : { detail }),
    }));
    return { steps, valid: !problems.length, problems };
  }
}
