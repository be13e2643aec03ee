// Runs a command where some system calls do not exist, as the filters of other containers have it.
// usage: hides NAME[,NAME]... COMMAND [ARGUMENT]...
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
  const char* name;
  unsigned number;
} CALLS[] = {{"clone3", SYS_clone3}, {"close_range", SYS_close_range}, {"openat2", SYS_openat2}};
enum { COUNT = sizeof CALLS / sizeof *CALLS };

int main(int argc, char** argv) {
  struct sock_filter code[2 * COUNT + 2] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  unsigned short length = 1;
  if (argc < 3) return 2;
  for (char* name = strtok(argv[1], ","); name; name = strtok(NULL, ",")) {
    int i = 0;
    while (i < COUNT && strcmp(CALLS[i].name, name)) i++;
    if (i == COUNT || length > 2 * COUNT) {
      fprintf(stderr, "hides: not known, or too many: %s\n", name);
      return 2;
    }
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, 0, 1);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  }
  code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {length, code};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
    perror("hides: seccomp");
    return 2;
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 2;
}
