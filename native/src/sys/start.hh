// Where a static program without a libc begins. The kernel leaves argc, argv and the environment on the stack.
#pragma once

#if defined(__x86_64__)
#define SYS_START(function) \
  asm(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call " #function "\n")
#elif defined(__aarch64__)
#define SYS_START(function) asm(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n bl " #function "\n")
#endif
