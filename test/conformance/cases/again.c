// What this program does when a case has executed it.
#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>

#include "case.h"

static char** arguments;
extern char** environ;

static void* executes(void* nothing) {
  (void)nothing;
  execl(self, "name", "ids", NULL);
  SAY("exec", "%s", nameOf(errno));
  return NULL;
}
static void* waits(void* nothing) {
  (void)nothing;
  for (;;) pause();
  return NULL;
}

static void sayLink(const char* path) {
  char to[4096];
  long n = readlink(path, to, sizeof to - 1);
  if (n < 0) SAY(path, "%s", nameOf(errno));
  else to[n] = 0, SAY(path, "%s", to);
}

/// Whether a mapping of this name is there, and of what the heap and the stack may be.
static void sayMaps(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512], path[256];
  unsigned long start, end, brk = (unsigned long)sbrk(0), last = 0;
  int both = 0;
  extern char _end[];
  char* first = malloc(1);
  while (maps && fgets(line, sizeof line, maps)) {
    char rights[8];
    path[0] = 0;
    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, rights, path) < 3) continue;
    both += rights[1] == 'w' && rights[2] == 'x';
    if (path[0] == '/') {
      const char* name = strrchr(path, '/');
      if (start > last && strcmp(name, "/cases") == 0) last = end;
      SAY("mapping", "%s of %s", rights, path);
    } else if (strcmp(path, "[heap]") == 0 || strcmp(path, "[stack]") == 0) {
      SAY("mapping", "%s of %s", rights, path);
    }
  }
  VALUE(both);
  // without a fixed place it may be anywhere
  HOLDS(first != NULL && ((unsigned long)_end >> 32 || (brk > (unsigned long)_end && brk - (unsigned long)_end < (1ul << 36))));
  void* before = sbrk(0);
  HOLDS(sbrk(1 << 20) == before);
}

static void sayDescriptors(void) {
  DIR* list = opendir("/proc/self/fd");
  int found[256] = {0}, own = list ? dirfd(list) : -1;
  for (struct dirent* entry; list && (entry = readdir(list));) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != own && fd < 256) found[fd] = 1;
  }
  for (int fd = 0; fd < 256; fd++)
    if (found[fd] != (fcntl(fd, F_GETFD) >= 0 && fd != own)) SAY("descriptor", "%d is listed: %d", fd, found[fd]);
    else if (found[fd] && fd > 2) SAY("descriptor", "%d", fd);
}

/// One of many processes at once: files, programs and children, and what must never reach the host.
static int strains(int rounds) {
  char escape[600], name[64];
  snprintf(escape, sizeof escape, "%s/escaped", secretDir);
  snprintf(name, sizeof name, "/tmp/strain-%d", getpid());
  for (int i = 0; i < rounds; i++) {
    struct stat info;
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    if (fd < 0 || fstat(fd, &info) < 0 || info.st_uid != 0 || unlink(name) < 0) return 1;
    close(fd);
    if (stat("/conformance/mark", &info) < 0 || access("/conformance/nowhere", F_OK) == 0) return 2;
    if (open(escape, O_CREAT | O_WRONLY, 0644) >= 0) return 3;
    if (i % 10 != 9) continue;
    pid_t child = fork();
    int status = -1;
    if (child == 0) execl(i % 20 == 9 ? self : DYNAMIC, "name", "exit", "7", NULL), _exit(4);
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7) return 5;
  }
  return 0;
}

int again(int argc, char** argv) {
  const char* what = argv[0];
  arguments = argv - 1;
  if (strcmp(what, "arguments") == 0 || strcmp(what, "arguments with spaces") == 0 || strncmp(what, "arguments ", 10) == 0) {
    SAY("called", "%s", arguments[0]);
    for (int i = 0; i < argc; i++) SAY("argument", "'%s'", argv[i]);
  } else if (strcmp(what, "more") == 0 || strncmp(what, "/conformance/", 13) == 0 || what[0] == '.') {
    SAY("called", "%s", arguments[0]);
    for (int i = 0; i < argc; i++) SAY("argument", "'%s'", argv[i]);
  } else if (strcmp(what, "descriptor") == 0) {
    SAY("called", "%s", arguments[0]);
    HOLDS(argc > 1 && strncmp(argv[1], "/dev/fd/", 8) == 0);
    OPEN(open(argv[1], O_RDONLY));
  } else if (strcmp(what, "list") == 0) {
    for (int i = 0; i < argc; i++) SAY("argument", "'%s'", argv[i]);
    for (char** one = environ; *one; one++) SAY("variable", "'%s'", *one);
  } else if (strcmp(what, "count") == 0) {
    VALUE(argc);
  } else if (strcmp(what, "exit") == 0) {
    return atoi(argv[1]);
  } else if (strcmp(what, "exe") == 0) {
    char text[64] = "";
    sayLink("/proc/self/exe");
    sayLink("/proc/thread-self/exe");
    prctl(PR_GET_NAME, text);
    SAY("PR_GET_NAME", "%s", text);
    TEXT(open("/proc/self/comm", O_RDONLY));
    TEXT(open("/proc/self/cmdline", O_RDONLY));
    struct stat one, other;
    HOLDS(stat("/proc/self/exe", &one) == 0 && stat("/conformance/cases", &other) == 0 && one.st_size > 0);
  } else if (strcmp(what, "auxv") == 0) {
    SAY("AT_EXECFN", "%s", (char*)getauxval(AT_EXECFN));
    VALUE(getauxval(AT_SECURE));
    VALUE(getauxval(AT_UID));
    VALUE(getauxval(AT_EGID));
    VALUE(getauxval(AT_PAGESZ));
    VALUE(getauxval(AT_PHENT));
    HOLDS(getauxval(AT_RANDOM) != 0 && getauxval(AT_ENTRY) != 0 && getauxval(AT_PHDR) != 0);
    const Elf64_Phdr* program = (const Elf64_Phdr*)getauxval(AT_PHDR);
    int loads = 0, interpreter = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
      loads += program[i].p_type == PT_LOAD, interpreter += program[i].p_type == PT_INTERP;
    HOLDS(loads >= 2);
    VALUE(interpreter);
    HOLDS((getauxval(AT_BASE) != 0) == (interpreter != 0));
    HOLDS(getauxval(AT_SYSINFO_EHDR) != 0);
    struct { unsigned long type, value; } file[64];
    int fd = open("/proc/self/auxv", O_RDONLY), same = 0;
    long size = read(fd, file, sizeof file);
    for (long i = 0; i < size / 16 && file[i].type; i++)
      same += file[i].type == AT_PHDR && file[i].value == getauxval(AT_PHDR);
    VALUE(same);
  } else if (strcmp(what, "maps") == 0) {
    sayMaps();
  } else if (strcmp(what, "descriptors") == 0) {
    sayDescriptors();
  } else if (strcmp(what, "signals") == 0) {
    struct sigaction old;
    sigset_t set;
    sigaction(SIGUSR1, NULL, &old);
    HOLDS(old.sa_handler == SIG_IGN);
    sigaction(SIGUSR2, NULL, &old);
    HOLDS(old.sa_handler == SIG_DFL);
    sigprocmask(SIG_BLOCK, NULL, &set);
    SAY("blocked", "%d %d %d %d", sigismember(&set, SIGHUP), sigismember(&set, SIGSYS), sigismember(&set, SIGTRAP), sigismember(&set, SIGTERM));
  } else if (strcmp(what, "ids") == 0) {
    uid_t r, e, s;
    gid_t gr, ge, gs;
    getresuid(&r, &e, &s), getresgid(&gr, &ge, &gs);
    SAY("ids", "%u,%u,%u %u,%u,%u", r, e, s, gr, ge, gs);
    HOLDS(getpid() == syscall(SYS_gettid));
    char text[32];
    DIR* tasks = opendir("/proc/self/task");
    int count = 0;
    for (struct dirent* entry; tasks && (entry = readdir(tasks));) count += entry->d_name[0] != '.';
    snprintf(text, sizeof text, "%d", count);
    SAY("threads", "%s", text);
  } else if (strcmp(what, "threadexec") == 0) {
    pthread_t thread;
    for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, waits, NULL);
    pthread_create(&thread, NULL, executes, NULL);
    pthread_join(thread, NULL);
    return 1;
  } else if (strcmp(what, "removed") == 0) {
    unlink("program");
    sayLink("/proc/self/exe");
    fflush(stdout);
    execl("/proc/self/exe", "name", "arguments", NULL);
    SAY("exec", "%s", nameOf(errno));
  } else if (strcmp(what, "spawned") == 0) {
    char text[256];
    TEXT(5);
    SAY("getcwd", "%s", getcwd(text, sizeof text));
  } else if (strcmp(what, "entry") == 0) {
    HOLDS(((unsigned long)__builtin_frame_address(0) & 15) == 0);
    SAY("name", "%s", arguments[0]);
    stack_t stack;
    sigaltstack(NULL, &stack);
    VALUE(stack.ss_flags);
    HOLDS(arguments[argc + 1] == NULL);
  } else if (strcmp(what, "pause") == 0) {
    for (;;) pause();
  } else if (strcmp(what, "births") == 0) {
    // so many processes make others without end, for so many seconds
    for (int i = 0; i < atoi(argv[1]); i++)
      if (fork() == 0)
        for (;;) {
          for (int j = 0; j < 4; j++)
            if (fork() == 0) _exit(0);
          while (wait(NULL) > 0);
        }
    puts("born"), fflush(stdout);
    sleep(atoi(argv[2]));
    kill(-1, SIGKILL);
  } else if (strcmp(what, "strain") == 0) {
    int count = atoi(argv[1]), right = 0;
    for (int i = 0; i < count; i++)
      if (fork() == 0) _exit(strains(atoi(argv[2])));
    printf("%d begun\n", count), fflush(stdout);
    for (int status; wait(&status) > 0;) right += status == 0;
    printf("%d right\n", right);
  } else if (strcmp(what, "secret") == 0) {
    KEPT(open(secret, O_RDONLY));
  } else {
    SAY("unknown", "%s", what);
    return 1;
  }
  fflush(stdout);
  return 0;
}
