// Import directions (src/README.md): trace, cost ← machine ← hypervisor ← session ← worker ← shell.
const rooms = (...names) => `^src/(${names.join('|')})/`;
// Tests and what only tests use.
const TESTS = '(\\.test|/test-machine|/testing[^/]*|/testing/[^/]+)\\.ts$';
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from: { path: from, pathNot: TESTS }, to: { path: to } });

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    rule('trace-is-the-ground', 'trace and cost know nobody', rooms('trace', 'cost'), '^src/(?!trace/|cost/)'),
    rule('machine-knows-trace-and-cost', 'machine never imports hypervisor', rooms('machine'), '^src/(?!machine/|trace/|cost/)'),
    rule('assembler-knows-isa', 'assembler knows the instruction table only', rooms('assembler'), '^src/(?!assembler/|machine/isa/)'),
    rule('images-know-memory', 'images know isa and memory only', rooms('images'), '^src/(?!images/|machine/isa/|machine/memory/)'),
    rule('hypervisor-looks-down', 'hypervisor knows machine, images, trace, cost', rooms('hypervisor'), '^src/(?!hypervisor/|machine/|images/|trace/|cost/)'),
    {
      name: 'no-siblings',
      comment: 'no technique imports a sibling',
      severity: 'error',
      from: { path: '^src/hypervisor/(native|paravirtualization|hardware-assisted)/', pathNot: TESTS },
      to: { path: '^src/hypervisor/(native|paravirtualization|hardware-assisted)/', pathNot: '^src/hypervisor/$1/' },
    },
    rule('session-looks-down', 'session knows the core', rooms('session'), '^src/(worker|cli|canvas|editor|lessons|shell|checks)/'),
    rule('worker-looks-down', 'worker knows session and core', '^src/worker/(?!protocol|client)', '^src/(cli|canvas|editor|lessons|shell|checks)/'),
    rule('canvas-knows-trace', 'canvas knows trace and the protocol', rooms('canvas'), '^src/(?!canvas/|trace/|worker/protocol\\.ts|cost/)'),
    rule('lessons-know-trace', 'lessons never touch the machine', rooms('lessons'), '^src/(machine|hypervisor|images|cli|checks)/'),
    rule('editor-knows-assembler', 'editor knows assembler and isa, not the machine', rooms('editor'), '^src/(machine/(?!isa/)|hypervisor|images|session|cli|checks)/'),
    rule('shell-never-touches-the-core', 'shell goes through the worker', rooms('shell'), '^src/(machine/(?!isa/)|hypervisor|images|cli|checks)/'),
  ],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' }, enhancedResolveOptions: { extensions: ['.ts', '.svelte', '.js', '.json'] } },
};
