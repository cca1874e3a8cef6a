/**
 * Conversations as a language model without senses and without signal tokens knows them: what is thought, planned and called is
 * written out, an input medium is the code of its scene, and where a picture, sound or clip would be made it is named:
 *
 *   Thought: I let a program do it. Call: {"name":"code_interpreter",...}
 *   Here is the picture: small red circle middle left. [image]
 */
import type { Message } from './chat';
import type { Instruction } from './instructions';
import { codeSegment, mediaSegment } from './media';
import { MODALITIES } from './signals';

/** The request, with codes in place of the media. */
function writtenPrompt({ prompt, record }: Pick<Instruction, 'prompt' | 'record'>): Message[] {
  return prompt.map((message) => {
    let { content } = message;
    for (const modality of MODALITIES) {
      const medium = record.media[modality];
      if (medium?.role === 'input')
        content = content.replace(mediaSegment(modality), codeSegment(modality, medium.scene.objects));
    }
    return { ...message, content };
  });
}

/** A sample of the six categories in text alone: request, answer, and the tool's result between its turns. */
export function writtenConversation(sample: Pick<Instruction, 'prompt' | 'record' | 'draft' | 'oracle'>): Message[] {
  const { think, plan, call, text } = sample.draft;
  const { oracle } = sample;
  const head = [
    think ? `Thought: ${think}` : '',
    plan ? `Plan: ${plan.map((step, i) => `${i + 1}. ${step}`).join(' ')}` : '',
    call ? `Call: ${call.json}` : '',
  ].filter(Boolean);
  const media = oracle.outputs.map((modality) => `[${modality}]`);
  const answer = [text, ...media].join(' ');
  const turns: Message[] = call
    ? [
        { role: 'assistant', content: head.join(' ') },
        { role: 'tool', content: call.result },
        { role: 'assistant', content: answer },
      ]
    : [{ role: 'assistant', content: [...head, answer].join(' ') }];
  return [...writtenPrompt(sample), ...turns];
}
