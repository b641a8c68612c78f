/** A number as SVG has it: two decimals are below a pixel. */
export function n(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** A text of 11 px cut to a width in pixels, by the width of its average letter; '' where nothing fits. */
export function clipped(text: string, width: number): string {
  const most = Math.floor(width / 6.2);
  if (text.length <= most) return text;
  return most < 3 ? '' : `${text.slice(0, most - 1)}…`;
}

/** Text made safe for HTML and SVG, attributes included. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
