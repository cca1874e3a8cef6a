/** The figures that the papers report, for the tables that set them beside ours. Source: the OmniAgent card, table 1. */

/** Perplexities of OmniAgent's methods (table 1). */
export const omniagentPerplexities: Record<string, { ppl: number; genPpl: number; toolPpl: number; planPpl: number }> =
  {
    SFT: { ppl: 1.92, genPpl: 2.43, toolPpl: 1.71, planPpl: 1.61 },
    DPO: { ppl: 2.32, genPpl: 2.93, toolPpl: 2.01, planPpl: 2.05 },
    SimPO: { ppl: 1.75, genPpl: 2.18, toolPpl: 1.55, planPpl: 1.52 },
  };
