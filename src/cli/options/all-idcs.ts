import { Option } from 'commander';

/**
 * `--all-idcs` of commands that ask control planes; `whose`: what it adds, such as `of the other IDCs,
 * too`.
 */
export function allIdcsOption(whose: string): Option {
  return new Option(
    '--all-idcs',
    `${whose}: asks their control planes at the addresses in spec.controlPlanes of each Idc`,
  );
}
