// Loaded before a program (node --import): SIGUSR2 does to it what ISTHMUS_TEST_FAULT says.
const faults: Readonly<Record<string, () => void>> = {
  throw() {
    throw new Error('a planted exception');
  },
  reject: () => void Promise.reject(new Error('a planted rejection')),
  stall: standStill,
};

/** Keeps the event loop, under a name that a stack shows. */
function standStill(): void {
  const end = performance.now() + 2_500;
  while (performance.now() < end);
}

process.on('SIGUSR2', () => faults[process.env.ISTHMUS_TEST_FAULT ?? '']?.());
