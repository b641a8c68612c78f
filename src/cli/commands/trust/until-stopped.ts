import { keepProcess } from '../../../base/clock.ts';

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process as the system does. */
export async function untilStopped(): Promise<void> {
  const letEnd = keepProcess();
  await new Promise<void>((resolve) => {
    const heard = () => {
      for (const one of endings) process.off(one, heard);
      resolve();
    };
    for (const one of endings) process.on(one, heard);
  });
  letEnd();
}

const endings = ['SIGTERM', 'SIGINT'] as const;
