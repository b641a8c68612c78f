import { spawn } from 'node:child_process';
import { MeshError } from '../../base/error.ts';
import { describeSystemError } from '../../base/system-error.ts';

/** Gives rules to `nft -f -`. Rejects with MeshError `unavailable` where it is missing or refuses them. */
export function applyRules(rules: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string) =>
      reject(new MeshError('unavailable', `nft could not put the rules in force: ${why}`));
    const nft = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'inherit', 'pipe'] });
    let words = '';
    nft.stderr.on('data', (part: Buffer) => {
      words = (words + part.toString('utf8')).slice(0, 4_096);
    });
    nft.once('error', (reason) => refuse(`${describeSystemError(reason)}. Install nftables.`));
    nft.once('close', (code) => (code === 0 ? resolve() : refuse(words.trim() || `it ended with ${code}`)));
    // Its own end says more than a broken pipe.
    nft.stdin.on('error', () => undefined);
    nft.stdin.end(rules);
  });
}
