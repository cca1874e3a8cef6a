/**
 * Soft punishment of responses that are nearly too long (DAPO: Yu et al. 2025, section 3.4, equation 13):
 *
 *   0 up to maxLength - buffer, then falling linearly to -penalty at maxLength
 *
 * As verl's reward manager has it, it goes on falling beyond maxLength, where generation has ended anyway.
 */
import { checkNumber } from './sequence';

export interface OverlongOptions {
  /** Tokens that a response may have. */
  maxLength: number;
  /** The last so many of them are punished. The paper: 4096 of 20480. */
  buffer: number;
  /** At maxLength. Default 1. */
  penalty?: number;
}

/** What is added to the reward of a response of `length` tokens: 0 or less. Throws ArgumentError. */
export function overlongPenalty(length: number, { maxLength, buffer, penalty = 1 }: OverlongOptions): number {
  checkNumber('overlongPenalty', 'buffer', buffer, buffer > 0 && buffer <= maxLength, `in (0, ${maxLength}]`);
  checkNumber('overlongPenalty', 'penalty', penalty, penalty >= 0, '>= 0');
  const exceeding = length - (maxLength - buffer);
  return exceeding > 0 ? (-exceeding / buffer) * penalty : 0;
}
