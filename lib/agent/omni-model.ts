/** OmniAgent as the agent's model: conversations in, turns with blocks out, blocks into media. */
import { ArgumentError } from '../errors';
import { resample } from '../io/resample';
import type { Medium } from '../io/media';
import { decodeBlocks, respond } from '../generate/omni';
import type { OmniModel } from '../generate/omni';
import { encodeChat } from '../world/chat';
import { CHAT_TOKENS } from '../world/signals';
import type { AgentModel, ChatMessage } from './model';

export interface OmniModelOptions {
  device?: string;
  /** Steps of the diffusion samplers; default: the decoders' own. */
  decoderSteps?: number;
  guidanceScale?: number;
}

/** Refused here, once, and not as a warning of each medium that is not made for it. */
function checkOptions({ decoderSteps: steps, guidanceScale: scale }: OmniModelOptions): void {
  const refuse = (expected: string, got: unknown): never => {
    throw new ArgumentError(
      'omniAgentModel',
      `expected ${expected}, got ${String(got)}`,
      "leave it out: the decoder's own",
    );
  };
  if (steps !== undefined && !(Number.isInteger(steps) && steps >= 1 && steps <= 1000))
    refuse('decoderSteps as a whole number from 1 to 1000', steps);
  if (scale !== undefined && !(scale >= 0 && Number.isFinite(scale))) refuse('a guidanceScale of 0 or more', scale);
}

/**
 * A loaded OmniAgent behind the agent's interface. Sounds of another rate than its encoder's are resampled.
 * @throws ArgumentError for options that cannot be used
 */
export function omniAgentModel(model: OmniModel, options: OmniModelOptions = {}): AgentModel {
  checkOptions(options);
  const { device, decoderSteps, guidanceScale } = options;
  const { tokenizer, llama, encoder, input } = model;
  const end = tokenizer.id(CHAT_TOKENS.end);
  const rate = encoder?.config.audio.mel.sampleRate;
  const fit = (medium: Medium): Medium =>
    medium.modality === 'audio' && rate !== undefined && medium.sound.sampleRate !== rate
      ? { modality: 'audio', sound: resample(medium.sound, rate) }
      : medium;
  const fitted = (messages: readonly ChatMessage[]): ChatMessage[] =>
    messages.map((m) => (m.media ? { ...m, media: m.media.map(fit) } : m));
  return {
    async respond(messages, { seed, temperature = 0, topP, maxNewTokens, onToken, signal }) {
      const said: number[] = [];
      let told = '';
      const [response] = await respond(model, [fitted(messages)], {
        seed,
        temperature,
        topP,
        maxNewTokens,
        signal,
        device,
        // Text is told as it becomes certain: a character may be made of several tokens.
        onToken:
          onToken &&
          (({ token }) => {
            if (token === end) return;
            said.push(token);
            const text = tokenizer.decode(said);
            if (text.endsWith('\uFFFD') || !text.startsWith(told)) return;
            if (text.length > told.length) onToken(text.slice(told.length));
            told = text;
          }),
      });
      // What waited to become certain.
      if (onToken && response.text.startsWith(told) && response.text.length > told.length)
        onToken(response.text.slice(told.length));
      return response;
    },
    async decode(modality, embeds, { seed, onStep, signal }) {
      const [medium] = await decodeBlocks(model, modality, embeds, {
        seed,
        onStep,
        signal,
        steps: decoderSteps,
        guidanceScale,
        device,
      });
      return medium;
    },
    room(messages) {
      const { tokens } = encodeChat(tokenizer, messages, { generate: true, slots: input?.config.slots });
      return llama.config.maxLength - tokens.length;
    },
  };
}
