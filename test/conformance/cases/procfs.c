// /proc as the guest is to see it: its own processes, by the names that they have in the tree.
#include <pthread.h>

#include "case.h"

static void sayLink(const char* path) {
  char to[4096];
  const char* name = strrchr(path, '/') + 1;
  long n = readlink(path, to, sizeof to - 1);
  if (n < 0) SAY(name, "%s", nameOf(errno));
  else to[n] = 0, SAY(name, "%s", to);
}
/// The line of a file that begins with a word, without white space at its ends and in between.
static const char* line(const char* path, const char* word) {
  static char text[512];
  FILE* file = fopen(path, "r");
  while (file && fgets(text, sizeof text, file))
    if (strncmp(text, word, strlen(word)) == 0) {
      fclose(file);
      text[strcspn(text, "\n")] = 0;
      for (char* p = text; *p; p++)
        if (*p == '\t') *p = ' ';
      for (long n = (long)strlen(text); n > 0 && text[n - 1] == ' '; n--) text[n - 1] = 0;
      return text;
    }
  if (file) fclose(file);
  return "not there";
}
static const char* of(pid_t process, const char* name) {
  static char path[4][64];
  static int turn;
  snprintf(path[++turn % 4], sizeof path[0], "/proc/%d/%s", process, name);
  return path[turn % 4];
}

CASE("/proc/self is the process that asks") {
  char text[32], own[32];
  long n = readlink("/proc/self", text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  snprintf(own, sizeof own, "%d", getpid());
  HOLDS(strcmp(text, own) == 0);
  n = readlink("/proc/thread-self", text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  snprintf(own, sizeof own, "%d/task/%d", getpid(), (int)syscall(SYS_gettid));
  HOLDS(strcmp(text, own) == 0);
  CHILD("child", {
    n = readlink("/proc/self", text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    HOLDS(atoi(text) == getpid());
  });
}

CASE("cwd, root and exe are places of the tree") {
  sayLink("/proc/self/root");
  sayLink("/proc/self/exe");
  mkdir("dir", 0755), chdir("dir");
  char cwd[256], text[256];
  long n = readlink("/proc/self/cwd", text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  HOLDS(strcmp(getcwd(cwd, sizeof cwd), text) == 0);
  rmdir("../dir");
  n = readlink("/proc/self/cwd", text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  SAY("gone", "%s", strrchr(text, '/'));
}

CASE("paths go through cwd, root and descriptors") {
  put("file", "hello\n"), mkdir("dir", 0755), put("dir/inner", "inner\n");
  TEXT(open("/proc/self/cwd/file", O_RDONLY));
  TEXT(open("/proc/self/cwd/../mark", O_RDONLY));
  TEXT(open("/proc/self/root/conformance/mark", O_RDONLY));
  TEXT(open("/proc/self/root/../conformance/mark", O_RDONLY));
  int dir = open("dir", O_RDONLY | O_DIRECTORY);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d/inner", dir);
  TEXT(open(path, O_RDONLY));
  snprintf(path, sizeof path, "/proc/self/fd/%d/../file", dir);
  TEXT(open(path, O_RDONLY));
  snprintf(path, sizeof path, "/dev/fd/%d/inner", dir);
  TEXT(open(path, O_RDONLY));
  struct stat info;
  HOLDS(stat("/proc/self/cwd", &info) == 0 && S_ISDIR(info.st_mode));
  HOLDS(lstat("/proc/self/cwd", &info) == 0 && S_ISLNK(info.st_mode));
}

CASE("descriptors are listed, named and opened again") {
  put("file", "hello\n");
  char directory[256], path[64], expected[300], text[300];
  int fd = open("file", O_RDWR);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  snprintf(expected, sizeof expected, "%s/file", getcwd(directory, sizeof directory));
  long n = readlink(path, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  HOLDS(strcmp(text, expected) == 0);
  TEXT(open(path, O_RDONLY));
  OPEN(open(path, O_RDONLY | O_NOFOLLOW));
  unlink("file");
  n = readlink(path, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  HOLDS(strlen(text) > 10 && strcmp(text + strlen(text) - 10, " (deleted)") == 0);
  TEXT(open(path, O_RDONLY));
  int ends[2];
  pipe(ends);
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  n = readlink(path, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  HOLDS(strncmp(text, "pipe:[", 6) == 0);
  OPEN(open(path, O_RDONLY | O_NONBLOCK));
  execl(self, "name", "descriptors", NULL);
}

CASE("/dev/stdin, /dev/stdout and /dev/fd lead to the descriptors") {
  struct stat one, other;
  HOLDS(stat("/dev/stdout", &one) == 0 && fstat(1, &other) == 0 && one.st_ino == other.st_ino);
  HOLDS(stat("/dev/fd/1", &one) == 0 && one.st_ino == other.st_ino);
}

CASE("the status of a process is that of the guest") {
  HOLDS(atoi(line("/proc/self/status", "Pid:") + 4) == getpid());
  HOLDS(atoi(line("/proc/self/status", "PPid:") + 5) == getppid());
  HOLDS(atoi(line("/proc/self/status", "Tgid:") + 5) == getpid());
  SAY("status", "%s", line("/proc/self/status", "Name:"));
  SAY("status", "%s", line("/proc/self/status", "TracerPid:"));
  SAY("status", "%s", line("/proc/self/status", "Uid:"));
  SAY("status", "%s", line("/proc/self/status", "Gid:"));
  SAY("status", "%s", line("/proc/self/status", "NoNewPrivs:"));
  SAY("status", "%s", line("/proc/self/status", "Seccomp:"));
  SAY("status", "%s", line("/proc/self/status", "Threads:"));
  CHILD("user", {
    setgid(5), setuid(6);
    SAY("status", "%s", line("/proc/self/status", "Uid:"));
    SAY("status", "%s", line("/proc/self/status", "CapEff:"));
  });
}

CASE("stat and statm of a process") {
  char text[512] = "";
  int fd = open("/proc/self/stat", O_RDONLY);
  read(fd, text, sizeof text - 1);
  HOLDS(atoi(text) == getpid());
  char* end = strrchr(text, ')');
  HOLDS(end != NULL && atoi(end + 4) == getppid());
  SAY("state", "%c", end ? end[2] : '?');
  OPEN(open("/proc/self/statm", O_RDONLY));
}

CASE("what is mapped has its path in the tree") {
  FILE* maps = fopen("/proc/self/maps", "r");
  char text[512];
  int own = 0, others = 0;
  while (maps && fgets(text, sizeof text, maps)) {
    char* path = strchr(text, '/');
    if (path) path[strcspn(path, "\n")] = 0, own += strcmp(path, self) == 0, others += strcmp(path, self) != 0;
  }
  HOLDS(own > 2);
  VALUE(others);
  CHILD("dynamic", execl(DYNAMIC, "x", "maps", NULL));
}

CASE("environ, cmdline and comm") {
  CHILD("exec", {
    char* environment[] = {"A=environ", NULL};
    char* arguments[] = {"called", "exe", "x", NULL};
    execve(self, arguments, environment);
  });
  DO(prctl(PR_SET_NAME, "renamed"));
  TEXT(open("/proc/self/comm", O_RDONLY));
  int fd = open("/proc/self/comm", O_WRONLY);
  VALUE(write(fd, "written", 7));
  char name[16];
  prctl(PR_GET_NAME, name);
  SAY("name", "%s", name);
}

CASE("another process of the tree is seen") {
  int ends[2];
  pipe(ends);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    chdir("/");
    write(ends[1], "r", 1);
    pause();
    _exit(1);
  }
  char byte;
  read(ends[0], &byte, 1);
  sayLink(of(child, "cwd")), sayLink(of(child, "root")), sayLink(of(child, "exe"));
  TEXT(open(of(child, "comm"), O_RDONLY));
  HOLDS(atoi(line(of(child, "status"), "PPid:") + 5) == getpid());
  TEXT(open(of(child, "cwd/conformance/mark"), O_RDONLY));
  TEXT(open(of(child, "root/conformance/mark"), O_RDONLY));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  OPEN(open(of(child, "comm"), O_RDONLY));
  DO(access(of(child, ""), F_OK));
}

CASE("the first process is the payload") {
  SAY("status", "%s", line("/proc/1/status", "PPid:"));
  SAY("status", "%s", line("/proc/1/status", "Pid:"));
  TEXT(open("/proc/1/cmdline", O_RDONLY));
  sayLink("/proc/1/root");
  VALUE(kill(1, 0));
}

CASE("/proc lists the processes of the tree and no others") {
  DIR* list = opendir("/proc");
  int own = 0, first = 0, others = 0, reached = 0;
  for (struct dirent* entry; list && (entry = readdir(list));) {
    int number = atoi(entry->d_name);
    if (number <= 0) continue;
    own += number == getpid(), first += number == 1, others += number != getpid() && number != 1;
    reached += kill(number, 0) == 0;
  }
  VALUE(own);
  VALUE(first);
  HOLDS(reached == own + first + others);
  HOLDS(others < 10);
  int names = 0;
  rewinddir(list);
  for (struct dirent* entry; (entry = readdir(list));)
    names += strcmp(entry->d_name, "self") == 0 || strcmp(entry->d_name, "meminfo") == 0 || strcmp(entry->d_name, "sys") == 0;
  VALUE(names);
}

static void* waits(void* nothing) {
  pause();
  return nothing;
}
CASE("threads are listed below their process") {
  pthread_t thread;
  pthread_create(&thread, NULL, waits, NULL);
  DIR* list = opendir("/proc/self/task");
  int count = 0, own = 0;
  for (struct dirent* entry; list && (entry = readdir(list));)
    count += entry->d_name[0] != '.', own += atoi(entry->d_name) == getpid();
  VALUE(count);
  VALUE(own);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/status", getpid());
  HOLDS(atoi(line(path, "Pid:") + 4) == getpid());
}

CASE("the mounts of the tree begin with its root") {
  char text[512] = "", target[256] = "";
  int fd = open("/proc/self/mountinfo", O_RDONLY);
  read(fd, text, sizeof text - 1);
  sscanf(text, "%*s %*s %*s %*s %255s", target);
  HOLDS(strchr(text, '\n') != NULL);
  FILE* mounts = fopen("/proc/mounts", "r");
  int root = 0, proc = 0;
  while (mounts && fgets(text, sizeof text, mounts)) root += strstr(text, " / ") != NULL, proc += strstr(text, " /proc proc ") != NULL;
  HOLDS(root >= 1);
  HOLDS(proc >= 1);
}

CASE("what the kernel says of itself") {
  OPEN(open("/proc/meminfo", O_RDONLY));
  OPEN(open("/proc/cpuinfo", O_RDONLY));
  OPEN(open("/proc/sys/kernel/osrelease", O_RDONLY));
  OPEN(open("/proc/sys/kernel/hostname", O_RDONLY));
  OPEN(open("/proc/uptime", O_RDONLY));
  OPEN(open("/proc/nothing", O_RDONLY));
  OPEN(open("/proc/new", O_CREAT | O_WRONLY, 0644));
  DO(mkdir("/proc/dir", 0755));
  OPEN(open("/proc/self/nothing", O_RDONLY));
  OPEN(open("/proc/99999999", O_RDONLY));
}

CASE("a process's memory can be read by itself") {
  char value[] = "memory", got[8] = "";
  int fd = open("/proc/self/mem", O_RDONLY);
  VALUE(pread(fd, got, sizeof value, (off_t)(uintptr_t)value));
  SAY("read", "%s", got);
}

CASE("fdinfo, limits, cgroup, ns and oom_score_adj") {
  put("file", "hello\n");
  int fd = open("file", O_RDONLY);
  lseek(fd, 3, SEEK_SET);
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  SAY("fdinfo", "%s", line(path, "pos:"));
  OPEN(open("/proc/self/limits", O_RDONLY));
  OPEN(open("/proc/self/cgroup", O_RDONLY));
  HOLDS(readlink("/proc/self/ns/mnt", text, sizeof text) > 5 && strncmp(text, "mnt:[", 5) == 0);
  OPEN(open("/proc/self/ns/mnt", O_RDONLY));
  OPEN(open("/proc/self/oom_score_adj", O_RDONLY));
}

CASE("a process that is not dumpable still uses paths") {
  DO(prctl(PR_SET_DUMPABLE, 0));
  VALUE(prctl(PR_GET_DUMPABLE));
  TEXT(open("/conformance/mark", O_RDONLY));
  sayLink("/proc/self/exe");
  CHILD("child", {
    TEXT(open("/conformance/mark", O_RDONLY));
    execl(self, "name", "ids", NULL);
  });
}

CASE("in a root of its own /proc is not there") {
  mkdir("root", 0755), mkdir("root/sub", 0755), put("root/sub/file", "inner\n");
  CHILD("chroot", {
    DO(chroot("root"));
    TEXT(open("/sub/file", O_RDONLY));
    OPEN(open("/proc/self/exe", O_RDONLY));
    char text[256];
    chdir("/sub");
    SAY("getcwd", "%s", getcwd(text, sizeof text));
    TEXT(open("../../sub/file", O_RDONLY));
    OPEN(open("/conformance/mark", O_RDONLY));
    symlink("/sub/file", "link");
    TEXT(open("/sub/link", O_RDONLY));
  });
  TEXT(open("/conformance/mark", O_RDONLY));
}

CASE("in a root of its own a process executes programs from there") {
  mkdir("root", 0755);
  DO(link("/conformance/cases", "root/program"));
  int dir = open("root", O_RDONLY | O_DIRECTORY);
  DO(mkdirat(dir, "conformance", 0755));
  CHILD("chroot", {
    chroot("root"), chdir("/");
    execl("/program", "name", "arguments", NULL);
    SAY("exec", "%s", nameOf(errno));
  });
}
