/**
 * A size in the form of Kubernetes quantities: `1048576`, `512Ki`, `4Mi`, `1G`. Source text of a RegExp, for
 * JSON Schemas too.
 */
export const sizePattern = /^[0-9]{1,12}(?:Ki|Mi|Gi|k|M|G)?$/;

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** Bytes of a size such as `4Mi`; undefined if malformed. */
export function parseSizeBytes(text: string): number | undefined {
  if (!sizePattern.test(text)) return undefined;
  const digits = /^[0-9]+/.exec(text)?.[0] ?? '';
  return Number(digits) * (unitBytes[text.slice(digits.length)] ?? 1);
}
