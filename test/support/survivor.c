// A payload that does what it can to outlive its container. usage: survivor WAY... , each of
//   pdeathsig  clears its parent-death signal      setuid    becomes another user
//   setsid     leads a session of its own          ignore    ignores every signal that can be ignored
//   orphan     is the child of a process that ended (twice forked), while PID 1 waits
// Says "ready" when it has done so, and stays.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

static void stay(void) {
  for (;;) pause();
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    int failed = 0;
    if (!strcmp(argv[i], "pdeathsig")) failed = prctl(PR_SET_PDEATHSIG, 0) < 0;
    if (!strcmp(argv[i], "setuid")) failed = setgid(65534) < 0 || setuid(65534) < 0;
    if (!strcmp(argv[i], "setsid") && setsid() < 0 && getpid() != getsid(0)) failed = 1;
    if (!strcmp(argv[i], "ignore"))
      for (int signal_number = 1; signal_number < 65; signal_number++) signal(signal_number, SIG_IGN);
    if (!strcmp(argv[i], "orphan")) {
      for (int generation = 0; generation < 2; generation++) {
        pid_t child = fork();
        if (child < 0) failed = 1;
        if (child <= 0) continue;
        if (generation == 0) stay();
        _exit(0);
      }
    }
    if (failed) {
      perror(argv[i]);
      return 1;
    }
  }
  puts("ready");
  fflush(stdout);
  stay();
}
