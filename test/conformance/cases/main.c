// usage: cases --run [--after=NAME] [--only=TEXT]   the cases, each after its name
//        cases --list                             their names
// --leave: in the reference, of what pivot_root(2) has put at /old
#include <sys/mount.h>

#include "case.h"

extern const struct Case* const __start_cases[];
extern const struct Case* const __stop_cases[];

char self[64] = "/conformance/cases";
const char* secret = "/nowhere/file";
const char* secretDir = "/nowhere";

static volatile sig_atomic_t running;
static void tooLong(int signal) {
  (void)signal;
  if (running) kill(-running, SIGKILL);
}

static void name(const struct Case* one, char* to, size_t room) {
  const char* file = strrchr(one->file, '/') ? strrchr(one->file, '/') + 1 : one->file;
  snprintf(to, room, "%.*s: %s", (int)strcspn(file, "."), file, one->promise);
}

static void run(const struct Case* one, int number) {
  char text[256], place[64];
  name(one, text, sizeof text);
  printf("%s\n", text);
  fflush(stdout);
  snprintf(place, sizeof place, "/conformance/%d", number);
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    if ((mkdir(place, 0755) < 0 && errno != EEXIST) || chdir(place) < 0) SAY("no place", "%s", nameOf(errno));
    one->run();
    fflush(stdout);
    _exit(0);
  }
  setpgid(child, child);
  running = child;
  alarm(30);
  int status = 0;
  while (waitpid(child, &status, 0) != child && errno == EINTR) {
  }
  alarm(0);
  running = 0;
  kill(-child, SIGKILL);
  if (WIFSIGNALED(status)) SAY("the case ended", "signal %d", WTERMSIG(status));
  else if (status != 0) SAY("the case ended", "status %d", WEXITSTATUS(status));
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

/// The host, with what was inherited from it.
static void leaves(void) {
  umount2("/old", MNT_DETACH), rmdir("/old"), chdir("/");
  for (int fd = 3; fd < 1024; fd++) close(fd);
}

int main(int argc, char** argv) {
  if (getenv("SECRET")) secretDir = getenv("SECRET");
  char* file = malloc(strlen(secretDir) + 6);
  sprintf(file, "%s/file", secretDir);
  secret = file;
  const char *after = NULL, *only = NULL;
  int list = 0, runs = 0;
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "--after=", 8) == 0) after = argv[i] + 8;
    else if (strncmp(argv[i], "--only=", 7) == 0) only = argv[i] + 7;
    else if (strcmp(argv[i], "--list") == 0) list = 1;
    else if (strcmp(argv[i], "--run") == 0) runs = 1;
    else if (strcmp(argv[i], "--leave") == 0) leaves();
    else return again(argc - 1, argv + 1);
  }
  if (!list && !runs) {
    SAY("executed", "with %d arguments", argc);
    return 0;
  }
  struct sigaction action = {.sa_handler = tooLong};
  sigaction(SIGALRM, &action, NULL);
  umask(022);
  if (runs) warm();
  int number = 0;
  for (const struct Case* const* one = __start_cases; one < __stop_cases; one++, number++) {
    char text[256];
    name(*one, text, sizeof text);
    if (after) {
      if (strcmp(text, after) == 0) after = NULL;
      continue;
    }
    if (only && !strstr(text, only)) continue;
    if (list) printf("%s\n", text);
    else run(*one, number);
  }
  printf("all done\n");
  return 0;
}
