/** A label value that may be a part of names, too. */
const clusterPattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;

/** Whether a text can name a Remote. */
export function isClusterName(text: string): boolean {
  return clusterPattern.test(text);
}
