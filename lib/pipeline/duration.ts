/** Times for people to read. */

/** 75 -> "1 min 15 s". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  return [whole >= 3600 ? `${Math.floor(whole / 3600)} h` : '', `${minutes} min`, whole < 3600 ? `${whole % 60} s` : '']
    .filter(Boolean)
    .join(' ');
}
