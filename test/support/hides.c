// Runs a command where some system calls do not exist, or are forbidden, as the filters of other containers have it.
// usage: hides [-]NAME[,[-]NAME]... COMMAND [ARGUMENT]...
// A dash stands for forbidden; of clone it is only what makes namespaces.
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
} CALLS[] = {{"clone", SYS_clone},     {"clone3", SYS_clone3},     {"close_range", SYS_close_range},
             {"fsopen", SYS_fsopen},   {"open_tree", SYS_open_tree}, {"openat2", SYS_openat2},
             {"seccomp", SYS_seccomp}, {"unshare", SYS_unshare}};
enum { COUNT = sizeof CALLS / sizeof *CALLS, NAMESPACES = 0x7e020000 };

#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define FLAGS BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]))
#define ANSWER(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

int main(int argc, char** argv) {
  struct sock_filter code[5 * COUNT + 2];
  unsigned short length = 0;
  if (argc < 3) return 2;
  for (char* name = strtok(argv[1], ","); name; name = strtok(NULL, ",")) {
    int error = *name == '-' ? EPERM : ENOSYS;
    if (*name == '-') name++;
    int i = 0;
    while (i < COUNT && strcmp(CALLS[i].name, name)) i++;
    if (i == COUNT || length > 5 * (COUNT - 1)) {
      fprintf(stderr, "hides: not known, or too many: %s\n", name);
      return 2;
    }
    int some = CALLS[i].number == SYS_clone && error == EPERM;
    struct sock_filter rule[] = {
        NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, 0, 3),
        FLAGS,  BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, some ? NAMESPACES : 0, 0, some ? 1 : 0),
        ANSWER(error),
    };
    memcpy(code + length, rule, sizeof rule);
    length += sizeof rule / sizeof *rule;
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
