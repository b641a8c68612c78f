import type { Attack } from './attack.ts';
import { dearAttacks } from './dear.ts';
import { floods } from './floods.ts';
import { frameAttacks } from './frames.ts';
import { leftAttacks } from './left.ts';
import { nameAttacks } from './names.ts';
import { sizeAttacks } from './sizes.ts';

/** Attacks that are made once and end by themselves. */
export const strokes: readonly Attack[] = [
  ...[...sizeAttacks, ...dearAttacks, ...nameAttacks, ...leftAttacks, ...frameAttacks],
];

/** All of them, by name: what goes on until it is stopped, and what ends by itself. */
export const attacks: readonly Attack[] = [...floods, ...strokes];
