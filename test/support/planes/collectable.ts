// Loaded before a program (node --expose-gc --import): SIGUSR2 has it collect its whole heap, and give back
// what is empty of it, as V8 does by itself once a process is idle.
const collect = (globalThis as { gc?: (options: { type: 'major'; flavor: 'last-resort' }) => void }).gc;

process.on('SIGUSR2', () => {
  for (let round = 0; round < 2; round++) collect?.({ type: 'major', flavor: 'last-resort' });
});
