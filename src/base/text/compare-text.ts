/** Orders texts by their UTF-16 code units, the same in every locale: negative, 0 or positive, for `sort`. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
