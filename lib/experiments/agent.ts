/** OmniAgent by the name of an experiment: `OmniAgentModel.fromPretrained('omniagent/stage3_sft')`. */
import { setCheckpointResolver } from '../agent/omniagent';
import { listExperiments } from '../pipeline/experiment';
import { run } from '../pipeline/run';

setCheckpointResolver(async (name, options) =>
  listExperiments().some((e) => e.name === name) ? (await run(name, options)).dir : null,
);

export { OmniAgentModel } from '../agent/omniagent';
