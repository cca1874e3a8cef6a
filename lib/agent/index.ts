/** The agent: tools, their sandbox and executor, plans, and chat. */
export { chart } from './chart';
export type { ChartFigure } from './chart';
export { codeInterpreter } from './code-interpreter';
export { executeCall } from './executor';
export type { ExecutorOptions, ToolCall } from './executor';
export { Sandbox } from './sandbox';
export type { FailureKind, Outcome, SandboxLimits } from './sandbox';
export { defineTool, describeTools, ToolError, toolRegistry } from './tool';
export type { Tool, ToolContext, ToolRegistry, ToolResult } from './tool';
export { encyclopaediaSearch, endpointSearch } from './web-search';
export type { SearchEndpoint, SearchOptions } from './web-search';
