/** A count with its noun: `1 host`, `2 hosts`. `many`: another plural. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
