// The command as a function, for tests and for programs that embed it; the executable is main.ts.

export { launch, type Runtime } from './launch';
export { renderHelp, renderList } from './render/help';
export { renderPlan } from './render/plan';
export { type Output, STDIO } from './stdio';
export { VERSION } from './version';
