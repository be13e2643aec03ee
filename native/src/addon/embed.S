// Files of the build as bytes inside the addon: to start a container, no file beside the addon has to be opened or trusted.
// The assembler looks for them in the -I directories.

#define EMBED(symbol, file)        \
    .balign 16;                    \
    .global symbol##_start;        \
    .hidden symbol##_start;        \
    symbol##_start:                \
    .incbin file;                  \
    .global symbol##_end;          \
    .hidden symbol##_end;          \
    symbol##_end:

    .section .rodata
EMBED(tsnspawn_runner, "runner")
EMBED(tsnspawn_seccomp_default, "seccomp-default.bpf")
EMBED(tsnspawn_seccomp_privileged, "seccomp-privileged.bpf")
EMBED(tsnspawn_seccomp_arguments, "seccomp-arguments.bpf")
EMBED(tsnspawn_seccomp_suppress_sync, "seccomp-suppress-sync.bpf")
EMBED(tsnspawn_seccomp_fakeroot, "seccomp-fakeroot.bpf")

    .section .note.GNU-stack, "", %progbits
