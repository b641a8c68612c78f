#!/usr/bin/env node
import { useCompileCache } from './process/compile-cache.ts';

useCompileCache();
await import('./program.ts');
