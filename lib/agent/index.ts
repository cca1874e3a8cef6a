/** The agent: tools, their sandbox and executor, plans, and chat. */
export { chart } from './chart';
export type { ChartFigure } from './chart';
export { codeInterpreter } from './code-interpreter';
export { executeCall } from './executor';
export type { ExecutorOptions, ToolCall } from './executor';
export { Sandbox } from './sandbox';
export type { FailureKind, Outcome, SandboxLimits } from './sandbox';
/** For the schemas of tools' parameters. */
export { z } from 'zod';
export { defineTool, describeTools, ToolError, toolRegistry } from './tool';
export type { Tool, ToolContext, ToolRegistry, ToolResult } from './tool';
export { encyclopaediaSearch, endpointSearch } from './web-search';
export type { SearchEndpoint, SearchOptions } from './web-search';
export type { AgentModel, ChatMessage, DecodeOptions, ModelResponse, RespondOptions } from './model';
export { omniAgentModel } from './omni-model';
export type { OmniModelOptions } from './omni-model';
export { OmniAgentModel, setCheckpointResolver } from './omniagent';
export type { AgentOptions, ChatRequest, CheckpointResolver, PretrainedOptions } from './omniagent';
export type { PlanResult, StepResult, StepStatus } from './planner';
export { Reply } from './reply';
export { route } from './router';
export type { Action, Routed } from './router';
export { runTurn, userMessage } from './turn';
export type { AgentEvent, Request, TurnOptions } from './turn';
