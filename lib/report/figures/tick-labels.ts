/** Names along a horizontal axis: side by side and wrapped where they fit, else turned and on one line each. */
import { wrapText } from '../figure-style';

export interface TickLabels {
  ticktext: string[];
  tickangle: number;
  /** Pixels that turned labels need below the axis, beyond two lines of level ones. */
  extraHeight: number;
  /** Least left margin, so that the first of the turned labels stays inside the picture. */
  left: number;
}

/** `spacing` is the distance between two ticks in pixels; letters are taken as 8 pixels wide and 17 high. */
export function tickLabels(names: string[], spacing: number): TickLabels {
  const level = names.map((name) => wrapText(name, Math.max(8, Math.floor(spacing / 8))));
  const lines = level.map((text) => text.split('<br>'));
  const fits = lines.every((parts) => parts.length <= 3 && parts.every((part) => part.length * 8 <= spacing + 4));
  if (fits) return { ticktext: level, tickangle: 0, extraHeight: 0, left: 0 };
  // Neighbours that are turned by 40 degrees stay apart while spacing * sin(40 degrees) exceeds a line's height.
  const tickangle = spacing * Math.sin((40 * Math.PI) / 180) > 17 ? -40 : -90;
  const longest = Math.max(...names.map((name) => name.length));
  const radians = (-tickangle * Math.PI) / 180;
  return {
    ticktext: names.map((name) => wrapText(name, 1000)),
    tickangle,
    extraHeight: Math.max(0, longest * 8 * Math.sin(radians) - 34),
    left: Math.max(0, names[0].length * 8 * Math.cos(radians) - spacing / 2 + 12),
  };
}
