/** OmniWorld: a procedural world whose every sample can be checked. See README.md beside this file. */
export { callFor, composeAnswer, PLAN_CHECKS } from './answers';
export { encodeChat, formatChat, segmentsOf } from './chat';
export type { EncodeChatOptions, EncodedChat, Encoder, MediaSlots, Message, Role } from './chat';
export { documentMask, documents, makeDocument, tokenizerTexts } from './corpus';
export { corrupt, corruptionsFor } from './corruptions';
export { describeObjects } from './describe';
export type { DescribeOptions } from './describe';
export { makeEncyclopaedia } from './encyclopaedia';
export type { Encyclopaedia, Place } from './encyclopaedia';
export { answerOf, askFact, stateFact } from './facts';
export type { Fact } from './facts';
export { evaluationSet, instructions, makeInstruction, toMessages } from './instructions';
export type { Instruction } from './instructions';
export { runJavaScript } from './javascript';
export { attributeAccuracy, chanceAccuracy, meanAccuracy } from './attribute-accuracy';
export type { AttributeAccuracy } from './attribute-accuracy';
export { captionOf } from './caption';
export { makeCaptioned, makeMediaCaptionRecord, makePair, makeSignalCaption } from './caption-records';
export { encodeMedium, loadMedium, withFiles } from './media-files';
export type { RecordMedia, RecordMedium } from './media-files';
export { answersQuestion } from './questions';
export {
  captionedSchema,
  mediaCaptionSchema,
  pairSchema,
  QUESTIONS,
  signalCaptionSchema,
  toolUseSchema,
  understandingSchema,
} from './stage-records';
export type {
  CaptionedRecord,
  MediaCaptionRecord,
  PairRecord,
  QuestionKind,
  SignalCaptionRecord,
  ToolUseRecord,
  UnderstandingRecord,
} from './stage-records';
export { makeToolUse, makeUnderstanding } from './understanding';
export type { Sample } from './understanding';
export { cellCode, COLOURS, MOTIONS, SHAPES, SIZES } from './lexicon';
export type { Cell, Colour, Motion, Shape, Size } from './lexicon';
export { codeSegment, mediaIn, mediaSegment, showsMotion } from './media';
export { parseScene } from './parse';
export type { ParsedScene } from './parse';
export { makePreference, preferences } from './preferences';
export {
  CATEGORIES,
  CORRUPTIONS,
  documentSchema,
  instructionSchema,
  messageSchema,
  oracleSchema,
  preferenceSchema,
  TOOLS,
} from './records';
export type {
  Category,
  CorruptionName,
  DocumentRecord,
  InstructionRecord,
  Oracle,
  PlanStep,
  PreferenceRecord,
  ToolName,
} from './records';
export { hearObjects, perceive, seeObjects, watchObjects } from './perceive';
export { renderMedium } from './render';
export { renderAudio } from './render-audio';
export { renderImage } from './render-image';
export { renderVideo } from './render-video';
export { fulfils, planOf, planProblems, readPlan } from './plan';
export type { Deed, PlannedStep, ReadPlan, StepKind } from './plan';
export { parseCall, parseResponse, readParts, readSteps, renderDraft } from './response';
export type { Draft, ParsedCall, ParsedResponse, Part } from './response';
export { drawScene, objectsCode, objectSchema, sceneSchema } from './scene';
export type { Scene, SceneObject } from './scene';
export { attributeScore, runCall, scoreResponse, statesAnswer } from './score';
export type { Scores } from './score';
export { searchArticles, webSearch } from './search';
export { ADDED_TOKENS, CHAT_TOKENS, MODALITIES, SEGMENTS, SIGNALS, SIGNAL_TOKENS } from './signals';
export type { Modality, Segment, Signal } from './signals';
export { SPLITS, splitOf } from './splits';
export type { Split } from './splits';
export { SUM_KINDS } from './sums';
export { Wording } from './wording';
export { findBlocks } from './blocks';
export type { BlockSearch } from './blocks';
export { captionObjects, makeMediaCaption, shownObjects, targetCaption } from './captions';
export type { MediaCaption } from './captions';
