/**
 * Runs that build on each other, several at a time: which are to be made, when each can be, and what becomes of those
 * whose parent failed.
 */
import type { Plan } from './identity';
import { isPresent } from './store';

/** failed: it, or its process, ended badly; skipped: a run that it builds on did; cancelled: stopped, or not begun. */
export type Outcome = 'made' | 'failed' | 'skipped' | 'cancelled';

/** What tells runs apart: equal configurations give equal hashes. */
export const keyOf = (plan: Pick<Plan, 'experiment' | 'hash'>): string => `${plan.experiment.name}/${plan.hash}`;

/**
 * Those of these runs, and of what they build on, that are not finished; each once, after its parents, else in the
 * order given. What only a finished run builds on is not needed: as `run` does, this does not look behind one.
 */
export async function unfinished(plans: readonly Plan[]): Promise<Plan[]> {
  const seen = new Set<string>();
  const found: Plan[] = [];
  const visit = async (plan: Plan): Promise<void> => {
    if (seen.has(keyOf(plan))) return;
    seen.add(keyOf(plan));
    if (await isPresent(plan)) return;
    for (const parent of plan.parents) await visit(parent);
    found.push(plan);
  };
  for (const plan of plans) await visit(plan);
  return found;
}

/**
 * The runs beside which nothing else can be made, whatever is finished: all others come before them or after them. This
 * follows from the plans alone, not from what happened to end first, so that a run that is resumed is such a one again.
 */
export function alone(plans: readonly Plan[]): Set<string> {
  /** All that a run builds on. */
  const below = new Map<string, Set<string>>();
  const visit = (plan: Plan): Set<string> => {
    const known = below.get(keyOf(plan));
    if (known) return known;
    const own = new Set(plan.parents.flatMap((parent) => [keyOf(parent), ...visit(parent)]));
    below.set(keyOf(plan), own);
    return own;
  };
  plans.forEach(visit);
  const above = new Map<string, number>();
  for (const own of below.values()) for (const key of own) above.set(key, (above.get(key) ?? 0) + 1);
  return new Set(
    [...below].filter(([key, own]) => own.size + (above.get(key) ?? 0) === below.size - 1).map(([key]) => key),
  );
}

/**
 * Makes runs that `unfinished` gave, at most `jobs` at once: whenever there is room, the first in the list whose parents
 * are made. After a failure goes on with what does not build on it; after an abort begins no other. `make` settles
 * without an error; `skip` is told of each run that is not tried.
 */
export async function schedule(
  plans: readonly Plan[],
  { jobs, signal }: { jobs: number; signal?: AbortSignal },
  make: (plan: Plan) => Promise<Exclude<Outcome, 'skipped'>>,
  skip: (plan: Plan, parent: Plan) => void = () => undefined,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const listed = new Set(plans.map(keyOf));
  const running = new Set<Promise<void>>();
  let waiting = [...plans];
  for (;;) {
    waiting = waiting.filter((plan) => {
      const lost = plan.parents.find((p) => ['failed', 'skipped'].includes(outcomes.get(keyOf(p)) ?? ''));
      if (!lost) return true;
      outcomes.set(keyOf(plan), 'skipped');
      skip(plan, lost);
      return false;
    });
    const ready = waiting.filter((plan) =>
      plan.parents.every((p) => !listed.has(keyOf(p)) || outcomes.get(keyOf(p)) === 'made'),
    );
    for (const plan of signal?.aborted ? [] : ready.slice(0, jobs - running.size)) {
      waiting.splice(waiting.indexOf(plan), 1);
      const work = make(plan).then((outcome) => {
        outcomes.set(keyOf(plan), outcome);
        running.delete(work);
      });
      running.add(work);
    }
    if (!running.size) break;
    await Promise.race(running);
  }
  for (const plan of waiting) outcomes.set(keyOf(plan), 'cancelled');
  return outcomes;
}
